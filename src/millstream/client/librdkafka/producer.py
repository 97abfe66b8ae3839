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


class LibrdkafkaProducer:
    """Sends rows to their partitions.

    A timestamp of 0 is sent as 1, because librdkafka takes 0 for "now"; one that is not set (-1) is the time of
    sending.
    """

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
        rows = map(
            self._producer.produce, repeat(topic), values, batch.keys, repeat(partition), none, none, times, headers
        )
        try:
            _run_through(rows)
        except BufferError:
            taken = len(batch) - length_hint(values) - 1  # `values` have given the row that was refused
        except (KafkaException, RuntimeError) as failed:
            # Refused for good, say for its size: nothing will come back from the broker, so it fails here.
            taken = len(batch) - length_hint(values) - 1
            problem = raised(failed, f"writing to {batch.target}")
            self._failures.append(DeliveryFailure(batch.target, batch.keys[taken], problem))
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
        return len(self._producer)

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(CLOSE_LIMIT_S)
        self._producer.close()

    def _on_delivery(self, error: RdKafkaError | None, message: Message) -> None:
        if error is None or error.code() in PURGED:
            return
        self._failed += 1
        target = TopicPartition(message.topic() or "", message.partition() or 0)
        self._failures.append(DeliveryFailure(target, message.key(), kafka_error(error, f"writing to {target}")))

    def _on_error(self, error: RdKafkaError) -> None:
        LOG.warning("producer: %s", error)
