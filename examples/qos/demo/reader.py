"""Reads the output topics, from where the run began."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition

from millstream.errors import KafkaError

from .ground import Offsets

MOST: Final = 2_000


class Read(NamedTuple):
    """One record, and when it was read, by the wall clock."""

    topic: str
    value: bytes
    at_ms: float


class Reader:
    """A consumer of its own group, with the partitions assigned by hand."""

    def __init__(self, bootstrap: str, begin: Offsets) -> None:
        self._position = dict(begin)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "qos-demo-view",
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 1,
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(*at, offset) for at, offset in begin.items()])

    def read(self, wait_s: float) -> Iterator[Read]:
        """What has arrived; waits so long if that is nothing."""
        # consume() by itself waits until it has as many as it is asked for.
        first = self._consumer.poll(wait_s)
        if first is None:
            return
        now_ms = time.time() * 1000
        for message in [first, *self._consumer.consume(MOST, 0)]:
            error = message.error()
            if error is None:
                yield self._taken(message, now_ms)
            elif not error.retriable():
                raise KafkaError(f"reading {message.topic() or 'results'}: {error.str()}", code=error.code())

    def reached(self, ends: Offsets) -> bool:
        return all(self._position[at] >= end for at, end in ends.items())

    def close(self) -> None:
        self._consumer.close()

    def _taken(self, message: Message, now_ms: float) -> Read:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        self._position[topic, partition] = offset + 1
        return Read(topic, message.value() or b"", now_ms)
