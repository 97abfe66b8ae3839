"""Committed offsets, durable: what a commit was answered for is there after a crash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from millstream.broker.journal import Journal
from millstream.model import TopicPartition

_OFFSET = "offset/"
_SEPARATOR = "\0"


class CommittedOffset(NamedTuple):
    offset: int
    leader_epoch: int
    metadata: str
    committed_at_ms: int


class CommittedOffsets:
    """Offsets by group and partition."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._groups: dict[str, dict[TopicPartition, CommittedOffset]] = {}
        for key, value in journal.items():
            if key.startswith(_OFFSET):
                group, topic, partition = key.removeprefix(_OFFSET).split(_SEPARATOR)
                self._groups.setdefault(group, {})[TopicPartition(topic, int(partition))] = CommittedOffset(*value)

    def groups(self) -> list[str]:
        return list(self._groups)

    def get(self, group: str, partition: TopicPartition) -> CommittedOffset | None:
        return self._groups.get(group, {}).get(partition)

    def of_group(self, group: str) -> Mapping[TopicPartition, CommittedOffset]:
        return self._groups.get(group, {})

    def commit(self, group: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Keep all of them, or (raising OSError) none."""
        self._journal.put({_key(group, partition): list(value) for partition, value in offsets.items()})
        self._groups.setdefault(group, {}).update(offsets)

    def delete(self, group: str, partitions: Iterable[TopicPartition]) -> None:
        known = self._groups.get(group, {})
        gone = [partition for partition in partitions if partition in known]
        self._journal.put({_key(group, partition): None for partition in gone})
        for partition in gone:
            del known[partition]

    def delete_group(self, group: str) -> None:
        self.delete(group, list(self._groups.get(group, {})))
        self._groups.pop(group, None)

    def delete_topic(self, topic: str) -> None:
        """A deleted topic takes its commits along; a new one of the same name begins without."""
        for group, known in self._groups.items():
            self.delete(group, [partition for partition in known if partition.topic == topic])


def _key(group: str, partition: TopicPartition) -> str:
    return f"{_OFFSET}{group}{_SEPARATOR}{partition.topic}{_SEPARATOR}{partition.partition}"
