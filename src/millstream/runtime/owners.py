"""Who has which task, for the world outside: each partition of the tasks topic has the address of its task's owner, and
of those that keep standby copies of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from millstream.model import Batch, OutBatch, TopicPartition

OWNER = b"owner"
STANDBY = b"standby:"  # the copy's rank follows, so that a topic has no more of these than there are replicas


class Owner(msgspec.Struct, frozen=True):
    """Where the worker answers that has a task or a copy of it, as HOST:PORT."""

    address: str


def standby_key(rank: int) -> bytes:
    """The key under which the worker with a task's first, second, .. copy tells where it answers.

    >>> standby_key(0)
    b'standby:0'
    """
    return STANDBY + str(rank).encode()


def owner_record(partition: TopicPartition, address: str, wall_ms: int, key: bytes = OWNER) -> OutBatch:
    """What tells that the worker at this address has taken the partition's task, or under another key a copy of it."""
    return OutBatch(partition, [wall_ms], [key], [msgspec.json.encode(Owner(address))])


def owners(batches: Iterable[Batch]) -> dict[TopicPartition, str]:
    """The latest address of each partition that has one. It is a hint: its worker may have ended, or lost the task.

    >>> told = owner_record(TopicPartition("app-tasks", 1), "10.0.0.7:8080", 5)
    >>> owners([Batch(told.target, [0], told.timestamps, told.keys, told.values, None, 1)])
    {TopicPartition(topic='app-tasks', partition=1): '10.0.0.7:8080'}
    """
    return {source: told[OWNER] for source, told in _told(batches).items() if OWNER in told}


def standbys(batches: Iterable[Batch]) -> dict[TopicPartition, tuple[str, ...]]:
    """The latest addresses that told of copies, those of the first successors first; hints as well."""
    found = {}
    for source, told in _told(batches).items():
        at = [told[key] for key in sorted(told) if key.startswith(STANDBY)]
        found[source] = tuple(dict.fromkeys(at))
    return found


def _told(batches: Iterable[Batch]) -> dict[TopicPartition, dict[bytes, str]]:
    found: dict[TopicPartition, dict[bytes, str]] = {}
    for batch in batches:
        for key, value in zip(batch.keys, batch.values, strict=True):
            if key is not None and value is not None and (key == OWNER or key.startswith(STANDBY)):
                found.setdefault(batch.source, {})[key] = msgspec.json.decode(value, type=Owner).address
    return found
