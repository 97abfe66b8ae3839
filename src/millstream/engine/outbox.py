"""Outputs of a round, encoded, in columns by partition, until they are handed to the producer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from millstream.errors import KafkaError
from millstream.model import Headers, OutBatch, TopicPartition
from millstream.serde.murmur2 import partition_for


@dataclass(slots=True)
class PartitionBuffer:
    """Rows for one partition. The lists stay the same objects, so that sinks may keep their bound methods."""

    target: TopicPartition
    timestamps: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    headers: dict[int, Headers] = field(default_factory=dict)  # by row; most rows have none
    origins: list[object] = field(default_factory=list)  # of each row, where somebody is asked when it is refused

    def append(
        self, key: bytes | None, value: bytes | None, timestamp: int, headers: Headers, origin: object = None
    ) -> None:
        if headers:
            self.headers[len(self.timestamps)] = headers
        if origin is not None:
            self.origins.append(origin)
        self.timestamps.append(timestamp)
        self.keys.append(key)
        self.values.append(value)

    def drain(self) -> OutBatch:
        rows = range(len(self.timestamps))
        headers = [self.headers.get(row, ()) for row in rows] if self.headers else None
        origins = self.origins.copy() if self.origins else None
        batch = OutBatch(self.target, self.timestamps.copy(), self.keys.copy(), self.values.copy(), headers, origins)
        self.timestamps.clear()
        self.keys.clear()
        self.values.clear()
        self.headers.clear()
        self.origins.clear()
        return batch


class TopicBuffer:
    """Rows for one topic. Kafka's default partitioner chooses by key; null keys take turns (rule F14)."""

    def __init__(self, topic: str, partitions: int) -> None:
        self.name = topic
        self.partitions = [PartitionBuffer(TopicPartition(topic, number)) for number in range(partitions)]
        self._turn = 0

    def route(self, key: bytes | None) -> PartitionBuffer:
        if key is None:
            self._turn = (self._turn + 1) % len(self.partitions)
            return self.partitions[self._turn]
        if len(self.partitions) == 1:
            return self.partitions[0]
        return self.partitions[partition_for(key, len(self.partitions))]

    def append(
        self, key: bytes | None, value: bytes | None, timestamp: int, headers: Headers, origin: object = None
    ) -> None:
        self.route(key).append(key, value, timestamp, headers, origin)


class Outbox:
    """What the tasks of one worker have put out since the last `drain`.

    >>> outbox = Outbox({"out": 1})
    >>> outbox.topic("out").append(b"k", b"v", 5, ())
    >>> [(str(batch.target), batch.keys, batch.timestamps) for batch in outbox.drain()], len(outbox)
    ([('out-0', [b'k'], [5])], 0)
    """

    def __init__(self, partition_counts: Mapping[str, int]) -> None:
        self._counts = dict(partition_counts)
        self._topics: dict[str, TopicBuffer] = {}

    def __len__(self) -> int:
        return sum(len(buffer.timestamps) for topic in self._topics.values() for buffer in topic.partitions)

    def learn(self, partition_counts: Mapping[str, int]) -> None:
        """Partition counts of topics that were created or looked up since."""
        self._counts |= partition_counts

    def partition_count(self, topic: str) -> int:
        count = self._counts.get(topic)
        if count is None:
            raise KafkaError(f"output topic {topic!r} does not exist; create it first", code=3)
        return count

    def topic(self, name: str) -> TopicBuffer:
        found = self._topics.get(name)
        if found is None:
            found = self._topics[name] = TopicBuffer(name, self.partition_count(name))
        return found

    def drain(self) -> list[OutBatch]:
        """Everything put out so far, by partition, in order; empties the outbox."""
        return [buffer.drain() for topic in self._topics.values() for buffer in topic.partitions if buffer.timestamps]
