"""Reading and writing by whole columns, without an object for each message: `_columns.c` in Millstream's terms.

That is compiled where the package is installed. Without it everything works, at a higher cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from logging import CRITICAL, DEBUG, ERROR, INFO, WARNING
from typing import Any, TypeVar

from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import cimpl

from millstream.client.librdkafka.config import LOG, build
from millstream.client.librdkafka.messages import Event, Read
from millstream.model import Batch, OutBatch, TopicPartition

try:
    from millstream.client.librdkafka import _columns

    _columns.load(cimpl.__file__)
    PLUGIN: str | None = _columns.__file__
except ImportError as reason:  # no compiler was there, or this is no system that it is made for
    LOG.debug("reading and writing message by message: %s", reason)
    PLUGIN = None

T = TypeVar("T")

SETTING = "plugin.library.paths"
LEVELS = (CRITICAL, CRITICAL, CRITICAL, ERROR, WARNING, INFO, INFO, DEBUG)  # of syslog's


def build_with_columns(make: Callable[[Any], T], config: dict[str, object]) -> tuple[T, _columns.Client | None]:
    """A client of confluent-kafka's, and its columns where they were built."""
    if PLUGIN is None:
        return build(make, config), None
    others = config.get(SETTING)
    made = build(make, config | {SETTING: f"{others};{PLUGIN}" if others else PLUGIN})
    return made, _columns.attached(made)


class ColumnReader:
    """A consumer's records as columns. What librdkafka says of it meanwhile goes to `failed` and to the log."""

    def __init__(self, client: _columns.Client, failed: Callable[[RdKafkaError], None]) -> None:
        self._client = client
        self._failed = failed

    def read(self, max_records: int, timeout_ms: int) -> Read:
        runs, events = self._client.read(max_records, timeout_ms)
        self._listen()
        return Read(
            [
                Batch(TopicPartition(topic, partition), offsets, timestamps, keys, values, headers, offsets[-1] + 1)
                for topic, partition, offsets, timestamps, keys, values, headers in runs
            ],
            [
                Event(TopicPartition(topic, partition) if topic else None, offset, RdKafkaError(code, text))
                for topic, partition, offset, code, text in events
            ],
        )

    def close(self) -> None:
        self._client.close()

    def _listen(self) -> None:
        told = self._client.notices()
        if told is not None:
            errors, logs, _ = told
            for level, text in logs:
                LOG.log(LEVELS[min(level, len(LEVELS) - 1)], text)
            for code, text in errors:
                self._failed(RdKafkaError(code, text))


class ColumnWriter:
    """Rows to a producer, as columns; and those that were not delivered."""

    def __init__(self, client: _columns.Client) -> None:
        self._client = client

    def produce(self, batch: OutBatch, first: int, end: int) -> tuple[int, RdKafkaError | None]:
        """Rows `first` to `end`: how many were taken, and why the next is refused for good; None: no room for it."""
        topic, partition = batch.target
        columns = _list(batch.timestamps), _list(batch.keys), _list(batch.values)
        headers = None if batch.headers is None else _list(batch.headers)
        taken, code = self._client.produce(topic, partition, first, end, *columns, headers)
        return taken, None if code in (0, RdKafkaError._QUEUE_FULL) else RdKafkaError(code)

    def undelivered(self) -> Iterator[tuple[TopicPartition, bytes | None, int, RdKafkaError]]:
        """Partition, key, size and reason of each."""
        told = self._client.notices()
        for topic, partition, key, size, code, text in told[2] if told is not None else ():
            yield TopicPartition(topic, partition), key, size, RdKafkaError(code, text)

    def close(self) -> None:
        self._client.close()


def _list(column: Sequence[T]) -> list[T]:
    return column if isinstance(column, list) else list(column)
