"""Records of topics in the order in which they arrive, from a position on, to the end or for as long as wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message
from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import TopicPartition as RdTopicPartition

from millstream.client.cluster.answers import Caller
from millstream.client.cluster.positions import Position, Positions
from millstream.client.librdkafka.config import CONSUMER, build
from millstream.client.librdkafka.failures import kafka_error, raised
from millstream.errors import KafkaError
from millstream.model import Headers, TopicPartition

AT_ONCE = 1_000
WAIT_S = 0.2
BEGINNING = Position("beginning")


class Record(NamedTuple):
    """A record as it lies in its partition. `timestamp` is in ms, -1 where it has none."""

    source: TopicPartition
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What is read: from where, to where (None: to the end as it is now, or, following, without end), at most how many.

    `silence_ms` bounds how long the cluster may send nothing while there is something to read.
    """

    start: Position = BEGINNING
    end: Position | None = None
    follow: bool = False
    max_records: int | None = None
    partitions: frozenset[int] = frozenset()
    committed_only: bool = True
    silence_ms: int = 30_000


class RecordReader:
    """Reads topics without a group. A context manager; iterate over it once.

    Partitions are read side by side: records of one are in order, nothing is said about the order between them.
    """

    def __init__(self, caller: Caller, topics: list[str], options: ReadOptions) -> None:
        self._caller = caller
        self._options = options
        self._stopped: Callable[[], bool] = lambda: False
        isolation = "read_committed" if options.committed_only else "read_uncommitted"
        config: dict[str, object] = {
            **caller.connection.for_admin(),
            **CONSUMER,
            "group.id": "millstream-reader",  # librdkafka wants one; it is never joined nor committed to
            "enable.partition.eof": True,
            "isolation.level": isolation,
        }
        self.total = 0
        self._until: dict[TopicPartition, int] = {}
        self._start = self._spans(topics)
        self._consumer = build(Consumer, config)

    def _spans(self, topics: list[str]) -> dict[TopicPartition, int]:
        """Where to begin in each partition that has something to read; notes where each ends."""
        options, positions = self._options, Positions(self._caller)
        wanted = [
            TopicPartition(name, number)
            for name, count in self._caller.partitions(topics).items()
            for number in range(count)
            if not options.partitions or number in options.partitions
        ]
        if not wanted:
            raise KafkaError(f"{', '.join(topics)}: none of the partitions asked for exists", code=3)
        spans = positions.bounds(wanted)
        start = positions.resolve(options.start, spans)
        if options.follow:
            return start
        self._until = positions.resolve(options.end or Position("end"), spans)
        self.total = sum(max(0, self._until[each] - start[each]) for each in wanted)
        return {each: start[each] for each in wanted if start[each] < self._until[each]}

    def stop_when(self, stopped: Callable[[], bool]) -> None:
        """Asked a few times a second: end the iteration where it stands."""
        self._stopped = stopped

    def __enter__(self) -> RecordReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def __iter__(self) -> Iterator[Record]:
        """Raises KafkaError where reading fails for good, or when nothing comes although there is something."""
        left = self._options.max_records
        reading = set(self._start)
        if not reading or left == 0:
            return
        self._consumer.assign([RdTopicPartition(*each, offset) for each, offset in self._start.items()])
        heard = time.monotonic()
        while reading and not self._stopped():
            messages = self._consume()
            if messages:
                heard = time.monotonic()
            elif not self._options.follow and time.monotonic() - heard > self._options.silence_ms / 1000:
                raise KafkaError(
                    f"nothing came for {self._options.silence_ms} ms; is the broker there?", retriable=True
                )
            for record in self._records(messages, reading):
                yield record
                if left is not None:
                    left -= 1
                    if left == 0:
                        return

    def _consume(self) -> list[Message]:
        try:
            return self._consumer.consume(AT_ONCE, 0) or self._consumer.consume(1, WAIT_S)
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, "reading") from failed

    def _records(self, messages: list[Message], reading: set[TopicPartition]) -> Iterator[Record]:
        """Takes partitions that are read to where they end out of `reading`."""
        for message in messages:
            source = TopicPartition(message.topic() or "", message.partition() or 0)
            offset = message.offset() or 0
            until = self._until.get(source)
            error = message.error()
            if error is not None:
                if error.code() != RdKafkaError._PARTITION_EOF:
                    _raise_lasting(error, source)
                elif until is not None and offset >= until:
                    reading.discard(source)
                continue
            if until is not None and offset >= until:
                reading.discard(source)
                continue
            if until is not None and offset + 1 == until:
                reading.discard(source)
            _, timestamp = message.timestamp()
            yield Record(source, offset, timestamp, message.key(), message.value(), _headers(message))


def _headers(message: Message) -> Headers:
    return tuple(message.headers() or ())  # type: ignore[arg-type]  # a consumer gives pairs of a name and bytes


def _raise_lasting(error: RdKafkaError, source: TopicPartition) -> None:
    problem = kafka_error(error, f"reading {source}" if source.topic else "reading")
    if not problem.retriable:
        raise problem
