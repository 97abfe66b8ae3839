"""The Apache Kafka that both engines run on, and the topics on it."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from tests.kafka.apache import ApacheKafka

from benchmarks.data import Row

LIMIT_S = 60.0
JVM_OPTIONS = ("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")


def node(core: int | None = None) -> ApacheKafka:
    """One node with a server's settings, on one core or on all."""
    return ApacheKafka(jvm_options=JVM_OPTIONS, run_by=on_core(core))


def on_core(core: int | None) -> tuple[str, ...]:
    """The program, with its arguments, that runs another on one core; none: it may use all."""
    return () if core is None else ("taskset", "-c", str(core))


class Topics:
    """Topics, of one partition unless told otherwise: made, filled, removed."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def create(self, topic: str, partitions: int = 1) -> None:
        for done in self._admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            done.result(LIMIT_S)

    def fill(self, topic: str, rows: Iterable[Row], partitions: int = 1) -> None:
        """Create a topic with these records, over its partitions by key; returns when all are acknowledged."""
        self.create(topic, partitions)
        settings = {
            "bootstrap.servers": self._bootstrap,
            "compression.type": "lz4",
            "linger.ms": 50,
            "batch.size": 256 * 1024,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 500_000,
            "delivery.report.only.error": True,
        }
        with Producer(settings) as producer:
            for number, (key, value, timestamp) in enumerate(rows):
                while True:
                    try:
                        producer.produce(topic, value, key, timestamp=timestamp)
                        break
                    except BufferError:
                        producer.poll(0.05)
                if number % 10_000 == 0:
                    producer.poll(0)
            if left := producer.flush(LIMIT_S):
                raise RuntimeError(f"{left} records of {topic} were not acknowledged in {LIMIT_S:.0f} s")

    def remove(self, prefix: str) -> None:
        """Delete the topics whose names begin so."""
        names = [name for name in self._admin.list_topics(timeout=LIMIT_S).topics if name.startswith(prefix)]
        if names:
            for done in self._admin.delete_topics(names).values():
                done.result(LIMIT_S)
