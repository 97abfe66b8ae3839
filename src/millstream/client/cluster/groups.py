"""Consumer groups of a cluster: listed, described with their lag, moved, deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as RdTopicPartition

from millstream.client.cluster.answers import Caller
from millstream.client.cluster.positions import Position, Positions
from millstream.errors import KafkaError
from millstream.model import TopicPartition


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A group, what it is doing, and which protocol its members speak."""

    group: str
    state: str
    type: str


@dataclass(frozen=True, slots=True)
class Lag:
    """Where a group is in a partition: the offset it goes on from, the partition's end, and who reads it now."""

    source: TopicPartition
    committed: int | None
    end: int
    member: str | None

    @property
    def lag(self) -> int | None:
        """Records still to be processed; None where nothing was ever committed."""
        return None if self.committed is None else max(0, self.end - self.committed)


@dataclass(frozen=True, slots=True)
class GroupDetails:
    """A group with its members (id and host) and its partitions."""

    summary: GroupSummary
    assignor: str
    members: Mapping[str, str]
    partitions: tuple[Lag, ...]


def _exists(found: Any) -> bool:
    return bool(found.members) or found.state.name not in ("DEAD", "UNKNOWN")


class Groups:
    """Each method asks the cluster, and raises KafkaError with what was being done where it refuses."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._positions = Positions(caller)

    def list(self) -> tuple[GroupSummary, ...]:
        found = self._caller.answer(
            self._caller.admin.list_consumer_groups(request_timeout=self._caller.timeout_s), "listing groups"
        )
        if found.errors:
            raise KafkaError(f"listing groups: {found.errors[0]}")
        return tuple(
            GroupSummary(each.group_id, each.state.name.lower(), each.type.name.lower())
            for each in sorted(found.valid, key=lambda each: str(each.group_id))
        )

    def describe(self, group: str) -> GroupDetails:
        found = self._described(group)
        owner = {
            TopicPartition(each.topic, each.partition): member.client_id
            for member in found.members
            for each in member.assignment.topic_partitions
        }
        committed = self.committed(group)
        if not committed and not _exists(found):
            raise KafkaError(f"there is no group {group!r}; `millstream groups list` shows those there are", code=69)
        spans = self._positions.bounds(sorted({*owner, *committed}))
        return GroupDetails(
            GroupSummary(group, found.state.name.lower(), found.type.name.lower()),
            found.partition_assignor or "",
            {member.member_id: member.host for member in found.members},
            tuple(Lag(each, committed.get(each), end, owner.get(each)) for each, (_, end) in spans.items()),
        )

    def exists(self, group: str) -> bool:
        """Whether the cluster knows the group, if only by its name."""
        return _exists(self._described(group))

    def _described(self, group: str) -> Any:  # confluent-kafka has no types for it
        futures = self._caller.admin.describe_consumer_groups([group], request_timeout=self._caller.timeout_s)
        return self._caller.answers(futures, "describing group")[group]

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """The offsets that the group has committed."""
        request = [ConsumerGroupTopicPartitions(group)]
        futures = self._caller.admin.list_consumer_group_offsets(request, request_timeout=self._caller.timeout_s)
        found = self._caller.answers(futures, "reading the offsets of group")[group]
        return {
            TopicPartition(each.topic, each.partition): each.offset
            for each in found.topic_partitions
            if each.offset >= 0
        }

    def planned(self, group: str, topics: Iterable[str], to: Position) -> dict[TopicPartition, int]:
        """Where `reset` would move a group, for all partitions of the topics; nothing is changed."""
        counts = self._caller.partitions([*topics])
        spans = self._positions.bounds(
            TopicPartition(name, number) for name, count in counts.items() for number in range(count)
        )
        return self._positions.resolve(to, spans, self.committed(group))

    def reset(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit these offsets for a group that has no members; with members Kafka refuses it."""
        wanted = [RdTopicPartition(*each, offset) for each, offset in offsets.items()]
        request = [ConsumerGroupTopicPartitions(group, wanted)]
        futures = self._caller.admin.alter_consumer_group_offsets(request, request_timeout=self._caller.timeout_s)
        answer = self._caller.answers(futures, "moving group")[group]
        for each in answer.topic_partitions:
            if each.error is not None:
                raise KafkaError(f"moving group {group} in {each.topic}-{each.partition}: {each.error.str()}")

    def delete(self, names: Sequence[str]) -> None:
        futures = self._caller.admin.delete_consumer_groups([*names], request_timeout=self._caller.timeout_s)
        self._caller.answers(futures, "deleting group")
