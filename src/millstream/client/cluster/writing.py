"""Records into a topic, as fast as the cluster takes them."""

from __future__ import annotations

import time

from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import KafkaException, Message, Producer

from millstream.client.cluster.answers import Caller
from millstream.client.librdkafka.config import PRODUCER, build
from millstream.client.librdkafka.failures import kafka_error, raised
from millstream.errors import KafkaError
from millstream.model import Headers

ROOM_S = 0.1


class RecordWriter:
    """Writes to one topic; Kafka's default partitioner chooses by key. A context manager that flushes at its end.

    `acknowledged` counts what the cluster has confirmed. KafkaError is raised by `write` or `flush` where a record was
    refused; nothing is sent behind it.
    """

    def __init__(self, caller: Caller, topic: str) -> None:
        caller.partitions([topic])
        self._topic = topic
        self._timeout_s = caller.timeout_s
        self._failure: KafkaError | None = None
        self.sent = 0
        config: dict[str, object] = {
            **caller.connection.for_admin(),
            **PRODUCER,
            "partitioner": "murmur2_random",
            "on_delivery": self._on_delivery,
        }
        self._producer = build(Producer, config)

    @property
    def acknowledged(self) -> int:
        return self.sent - len(self._producer)

    def write(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        timestamp: int | None = None,
        headers: Headers = (),
        partition: int = -1,
    ) -> None:
        """Queue a record; waits while the queue is full. Without a timestamp (ms) it is the time of sending.

        A timestamp of 0 is sent as 1, because librdkafka takes 0 for "now".
        """
        when = 0 if timestamp is None else max(timestamp, 1)
        until = time.monotonic() + self._timeout_s
        while True:
            self._raise_failure()
            try:
                self._producer.produce(self._topic, value, key, partition, timestamp=when, headers=[*headers] or None)
                self.sent += 1
                return
            except BufferError as full:
                if time.monotonic() > until:
                    raise KafkaError(
                        f"writing to {self._topic}: the broker takes nothing for {self._timeout_s:g} s", retriable=True
                    ) from full
                self._producer.poll(ROOM_S)
            except (KafkaException, ValueError) as failed:
                raise raised(failed, f"writing to {self._topic}") from failed

    def flush(self) -> None:
        """Wait until everything is acknowledged."""
        left = self._producer.flush(self._timeout_s)
        self._raise_failure()
        if left:
            raise KafkaError(
                f"writing to {self._topic}: {left} records are not confirmed after {self._timeout_s:g} s",
                retriable=True,
            )

    def poll(self) -> None:
        """Take reports. Raises what became of a record that was refused."""
        self._producer.poll(0)
        self._raise_failure()

    def close(self) -> None:
        """Give up what is outstanding."""
        self._producer.purge()
        self._producer.close()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _on_delivery(self, error: RdKafkaError | None, _message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = kafka_error(error, f"writing to {self._topic}")
