"""Topics that groups are told of in tests: made, grown and deleted without logs."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from millstream.broker.topics.catalogue import Topic


class FakeTopics:
    """Topics by name, each with an id of its own, also if it is made again."""

    def __init__(self, **partitions: int) -> None:
        self.version = 0
        self._topics: dict[str, Topic] = {}
        for name, count in partitions.items():
            self.make(name, count)

    def by_name(self) -> Mapping[str, Topic]:
        return self._topics

    def make(self, name: str, partitions: int) -> None:
        """A new topic, or a new one of an old name."""
        self.version += 1
        self._topics[name] = Topic(name, UUID(int=self.version), partitions, {})

    def grow(self, name: str, partitions: int) -> None:
        self.version += 1
        self._topics[name] = Topic(name, self._topics[name].topic_id, partitions, {})

    def delete(self, name: str) -> None:
        self.version += 1
        del self._topics[name]
