"""The idempotent producer: columns in, counts and failures out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from operator import length_hint
from typing import Any

from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import KafkaException, Message
from confluent_kafka import Producer as RdProducer

from millstream.client.contract import Delivered, DeliveryFailure
from millstream.client.librdkafka.config import LOG, build
from millstream.client.librdkafka.failures import kafka_error, raised
from millstream.model import OutBatch, TopicPartition

PURGED = (RdKafkaError._PURGE_QUEUE, RdKafkaError._PURGE_INFLIGHT)
CLOSE_LIMIT_S = 2

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
        self._producer = build(RdProducer, config)

    def produce(self, batch: OutBatch) -> int:
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
            # Refused for good, say for its size: nothing will come back from the broker, so it fails here.
            taken = len(batch) - length_hint(values) - 1
            problem = raised(failed, f"writing to {batch.target}")
            row = None if batch.origins is None else batch.part(taken, taken + 1)
            size = len(batch.keys[taken] or b"") + len(batch.values[taken] or b"")
            self._failures.append(DeliveryFailure(batch.target, batch.keys[taken], problem, size, row))
            self._sent += taken
            return taken + 1
        else:
            taken = len(batch)
        self._sent += taken
        return taken

    def poll(self, *, timeout_ms: int) -> Delivered:
        try:
            self._producer.poll(timeout_ms / 1000 if len(self._producer) and not self._failures else 0)
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, "writing") from failed
        failures, self._failures = self._failures, []
        # Successes are not reported one by one: what is no longer in the queue and has not failed was acknowledged.
        acknowledged = max(self._acknowledged, self._sent - self._failed - len(self._producer))
        news, self._acknowledged = acknowledged - self._acknowledged, acknowledged
        return Delivered(news, failures)

    def outstanding(self) -> int:
        return len(self._producer) + len(self._failures)

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(CLOSE_LIMIT_S)
        self._producer.close()

    def _on_delivery(self, error: RdKafkaError | None, message: Message) -> None:
        self._failed_row(error, message, None)

    def _failed_row(self, error: RdKafkaError | None, message: Message, row: OutBatch | None) -> None:
        if error is None or error.code() in PURGED:
            return
        self._failed += 1
        target = TopicPartition(message.topic() or "", message.partition() or 0)
        problem = kafka_error(error, f"writing to {target}")
        key, size = message.key(), len(message.key() or b"") + len(message.value() or b"")
        self._failures.append(DeliveryFailure(target, key, problem, size, row, self.transactional))

    def _on_error(self, error: RdKafkaError) -> None:
        LOG.warning("producer: %s", error)
