"""The idempotent producer: columns in, counts and failures out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from operator import length_hint
from typing import Any

from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import KafkaException, Message
from confluent_kafka import Producer as RdProducer

from millstream.client.contract import Delivered, DeliveryFailure
from millstream.client.librdkafka.columns import ColumnWriter, build_with_columns
from millstream.client.librdkafka.config import LOG
from millstream.client.librdkafka.failures import kafka_error, raised
from millstream.client.librdkafka.waves import Rows, Waves
from millstream.errors import KafkaError
from millstream.model import OutBatch, TopicPartition

PURGED = (RdKafkaError._PURGE_QUEUE, RdKafkaError._PURGE_INFLIGHT)
CLOSE_LIMIT_S = 2
LOOK_EVERY_S = 0.001

# without a step of the interpreter by row
_run_through: Callable[[Iterable[object]], None] = deque[object](maxlen=0).extend


class _Reports:
    """What became of one batch: finds the row that a message was, by its bytes, from the last one found on."""

    def __init__(
        self, batch: OutBatch, failed: Callable[[RdKafkaError | None, Message, OutBatch | None], None]
    ) -> None:
        self._batch = batch
        self._failed = failed
        self._next = 0

    def __call__(self, error: RdKafkaError | None, message: Message) -> None:
        self._failed(error, message, None if error is None else self._row(message.key(), message.value()))

    def _row(self, key: bytes | None, value: bytes | None) -> OutBatch | None:
        """Reports of a partition come in order. librdkafka tells no empty value from none."""
        keys, values = self._batch.keys, self._batch.values
        for row in (*range(self._next, len(keys)), *range(self._next)):
            if keys[row] == key and (values[row] or None) == (value or None):
                self._next = row + 1
                return self._batch.part(row, row + 1)
        return None


class LibrdkafkaProducer:
    """Sends rows to their partitions.

    A timestamp of 0 is sent as 1, because librdkafka takes 0 for "now"; one that is not set (-1) is the time of
    sending.
    """

    transactional = False

    def __init__(self, properties: Mapping[str, object]) -> None:
        self._failures: list[DeliveryFailure] = []
        self._sent = 0
        self._failed = 0
        self._acknowledged = 0
        config = {**properties, "on_delivery": self._on_delivery, "error_cb": self._on_error}
        self._waves = Waves(
            rows=int(str(properties["queue.buffering.max.messages"])),
            size=1024 * int(str(properties["queue.buffering.max.kbytes"])),
        )
        self._producer, columns = build_with_columns(RdProducer, config)
        self._writer = None if columns is None else ColumnWriter(columns)

    def produce(self, batch: OutBatch) -> int:
        taken = self._waves.add(batch)
        self._send()
        return taken

    def _send(self) -> None:
        """The next wave, when nothing is under way. Behind a row that was refused nothing goes before that is told."""
        if not self._waves.rows or self._failures or len(self._producer):
            return
        for rows in self._waves.take():
            taken = self._hand_over(rows)
            if taken < len(rows):
                self._waves.put_back(rows.cut(taken)[1])
            if taken < len(rows) or self._failures:
                return

    def _hand_over(self, rows: Rows) -> int:
        """Up to a row that was refused, that one included, or as far as librdkafka's queue has room.

        Rows with origins go one by one, so that each can be told of.
        """
        batch, first, end = rows.batch, rows.first, rows.end
        if self._writer is None or batch.origins is not None:
            return self._one_by_one(batch.part(first, end))
        try:
            taken, error = self._writer.produce(batch, first, end)
        except RuntimeError as failed:
            raise raised(failed, f"writing to {batch.target}") from failed
        self._sent += taken
        if error is not None:
            self._refuse(batch, first + taken, kafka_error(error, f"writing to {batch.target}"))
            taken += 1
        return taken

    def _one_by_one(self, batch: OutBatch) -> int:
        topic, partition = batch.target
        times = batch.timestamps
        if times and min(times) <= 0:
            times = [timestamp if timestamp > 0 else timestamp + 1 for timestamp in times]
        headers: Iterable[Any] = map(list, batch.headers) if batch.headers else repeat(None)
        values, none = iter(batch.values), repeat(None)
        told = none if batch.origins is None else repeat(_Reports(batch, self._failed_row))
        rows = map(
            self._producer.produce, repeat(topic), values, batch.keys, repeat(partition), told, none, times, headers
        )
        try:
            _run_through(rows)
        except BufferError:
            taken = len(batch) - length_hint(values) - 1  # `values` have given the row that was refused
        except (KafkaException, RuntimeError) as failed:
            taken = len(batch) - length_hint(values) - 1
            self._refuse(batch, taken, raised(failed, f"writing to {batch.target}"))
            self._sent += taken
            return taken + 1
        else:
            taken = len(batch)
        self._sent += taken
        return taken

    def _refuse(self, batch: OutBatch, at: int, error: KafkaError) -> None:
        """A row is refused for good, say for its size: nothing will come back from the broker, so it fails here."""
        row = None if batch.origins is None else batch.part(at, at + 1)
        size = len(batch.keys[at] or b"") + len(batch.values[at] or b"")
        self._failures.append(DeliveryFailure(batch.target, batch.keys[at], error, size, row))

    def poll(self, *, timeout_ms: int) -> Delivered:
        until = time.monotonic() + timeout_ms / 1000
        try:
            self._producer.poll(0)
            # It is told nothing of rows that were acknowledged, so that a longer wait would go on behind them.
            while len(self._producer) and not self._failures and time.monotonic() < until:
                self._producer.poll(LOOK_EVERY_S)
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, "writing") from failed
        if self._writer is not None:
            for target, key, size, error in self._writer.undelivered():
                self._undelivered(target, key, size, error, None)
        failures, self._failures = self._failures, []
        if not failures:
            self._send()
        # Successes are not reported one by one: what is no longer in the queue and has not failed was acknowledged.
        acknowledged = max(self._acknowledged, self._sent - self._failed - len(self._producer))
        news, self._acknowledged = acknowledged - self._acknowledged, acknowledged
        return Delivered(news, failures, self._waves.rows)

    def outstanding(self) -> int:
        return len(self._producer) + self._waves.rows + len(self._failures)

    def close(self) -> None:
        self._waves.clear()
        self._producer.purge()
        self._producer.flush(CLOSE_LIMIT_S)
        if self._writer is not None:
            self._writer.close()
        self._producer.close()

    def _on_delivery(self, error: RdKafkaError | None, message: Message) -> None:
        self._failed_row(error, message, None)

    def _failed_row(self, error: RdKafkaError | None, message: Message, row: OutBatch | None) -> None:
        if error is None:
            return
        target = TopicPartition(message.topic() or "", message.partition() or 0)
        key, size = message.key(), len(message.key() or b"") + len(message.value() or b"")
        self._undelivered(target, key, size, error, row)

    def _undelivered(
        self, target: TopicPartition, key: bytes | None, size: int, error: RdKafkaError, row: OutBatch | None
    ) -> None:
        if error.code() in PURGED:
            return
        self._failed += 1
        problem = kafka_error(error, f"writing to {target}")
        self._failures.append(DeliveryFailure(target, key, problem, size, row, self.transactional))

    def _on_error(self, error: RdKafkaError) -> None:
        LOG.warning("producer: %s", error)
