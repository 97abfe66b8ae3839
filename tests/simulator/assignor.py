"""The group leader's decision, cooperative and sticky, and how members tell it what they have."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from millstream.model import TopicPartition


@dataclass(frozen=True, slots=True)
class Claim:
    """What a member says that it has, and since which generation."""

    owned: Sequence[TopicPartition]
    generation: int


def subscription(topic: str, claim: Claim) -> bytes:
    """A consumer's metadata: version, topics, and what only the assignor reads."""
    name = topic.encode()
    head = struct.pack(">hih", 1, 1, len(name)) + name
    return head + msgspec.json.encode([claim.owned, claim.generation])


def claim_of(metadata: bytes) -> Claim:
    (size,) = struct.unpack_from(">h", metadata, 6)
    owned, generation = msgspec.json.decode(metadata[8 + size :])
    return Claim([TopicPartition(*each) for each in owned], generation)


def assignment(partitions: Sequence[TopicPartition]) -> bytes:
    return msgspec.json.encode(partitions)


def assigned(data: bytes) -> list[TopicPartition]:
    return [TopicPartition(*each) for each in msgspec.json.decode(data)] if data else []


def assign(claims: Mapping[str, Claim], partitions: Sequence[TopicPartition]) -> dict[str, list[TopicPartition]]:
    """Balanced, with as few moves as can be. What moves is given to nobody before its owner has let it go.

    >>> a, b = TopicPartition("t", 0), TopicPartition("t", 1)
    >>> assign({"x": Claim([a, b], 1), "y": Claim([], -1)}, [a, b])
    {'x': [TopicPartition(topic='t', partition=0)], 'y': []}
    """
    owners: dict[TopicPartition, str] = {}
    for member in sorted(claims, key=lambda each: (claims[each].generation, each)):
        owners |= dict.fromkeys(claims[member].owned, member)
    claimed = {each: {m for m, claim in claims.items() if each in claim.owned} for each in partitions}
    least, more = divmod(len(partitions), len(claims))
    kept = {member: [each for each in partitions if owners.get(each) == member] for member in claims}
    order = sorted(claims, key=lambda member: (-len(kept[member]), member))
    quotas = {member: least + (place < more) for place, member in enumerate(order)}
    target = {member: kept[member][: quotas[member]] for member in claims}
    given = {each for found in target.values() for each in found}
    left = [each for each in partitions if each not in given]
    for member in order:
        while len(target[member]) < quotas[member]:
            target[member].append(left.pop(0))
    return {member: [p for p in found if not claimed[p] - {member}] for member, found in target.items()}
