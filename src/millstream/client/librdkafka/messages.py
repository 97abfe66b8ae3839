"""Reading by confluent-kafka's messages, an object each: where the compiled columns cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, Protocol

from confluent_kafka import Consumer, Message
from confluent_kafka import KafkaError as RdKafkaError

from millstream.model import Batch, TopicPartition

_second = itemgetter(1)


class Event(NamedTuple):
    """What stands among the records and is none: an error, or the end of a partition. No source: of the client."""

    source: TopicPartition | None
    offset: int
    error: RdKafkaError


class Read(NamedTuple):
    """Records in columns, in order by partition; and what else there was."""

    batches: Sequence[Batch]
    events: Sequence[Event]


class Reader(Protocol):
    """Takes what a consumer has fetched."""

    def read(self, max_records: int, timeout_ms: int) -> Read:
        """What is there; waits only while there is nothing, and then for the first record alone."""

    def close(self) -> None: ...


class MessageReader:
    """confluent-kafka's `consume`, and what it gives as columns."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def read(self, max_records: int, timeout_ms: int) -> Read:
        # consume(n, timeout) waits for all n: so take what is there, and wait, if at all, for a single one.
        consume = self._consumer.consume
        messages = consume(max_records, 0)
        if not messages and timeout_ms > 0:
            messages = consume(1, timeout_ms / 1000)
            if messages and max_records > 1:
                messages += consume(max_records - 1, 0)
        events = []
        if any(map(Message.error, messages)):
            events = [_event(message, error) for message in messages if (error := message.error()) is not None]
            messages = [message for message in messages if message.error() is None]
        return Read([_columns(source, rows) for source, rows in _by_partition(messages).items()], events)

    def close(self) -> None:
        """It holds nothing."""


def _event(message: Message, error: RdKafkaError) -> Event:
    topic = message.topic()
    source = TopicPartition(topic, message.partition() or 0) if topic else None
    return Event(source, message.offset() or 0, error)


def _by_partition(messages: list[Message]) -> dict[TopicPartition, list[Message]]:
    """Messages come in runs of one partition: look at each run's length, not at each message."""
    topics, partitions = set(map(Message.topic, messages)), set(map(Message.partition, messages))
    if len(topics) == len(partitions) == 1:  # most often; then not even runs are looked for
        return {TopicPartition(topics.pop(), partitions.pop()): messages}  # type: ignore[arg-type]
    found: dict[TopicPartition, list[Message]] = {}
    start = 0
    for source, run in groupby(zip(map(Message.topic, messages), map(Message.partition, messages), strict=True)):
        stop = start + len(list(run))
        named = TopicPartition(*source)  # type: ignore[arg-type]
        found.setdefault(named, []).extend(messages[start:stop])
        start = stop
    return found


def _columns(source: TopicPartition, rows: Sequence[Message]) -> Batch:
    offsets: list[int] = list(map(Message.offset, rows))  # type: ignore[arg-type]
    headers = list(map(Message.headers, rows))
    return Batch(
        source=source,
        offsets=offsets,
        timestamps=list(map(_second, map(Message.timestamp, rows))),
        keys=list(map(Message.key, rows)),
        values=list(map(Message.value, rows)),
        headers=[tuple(found or ()) for found in headers] if any(headers) else None,  # type: ignore[arg-type]
        next_offset=offsets[-1] + 1,
    )
