"""The Apache Kafka that other tests run on."""

from __future__ import annotations

import time
import uuid

from confluent_kafka import Consumer, Producer

from tests.kafka.apache import ApacheKafka

LIMIT_S = 30


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    with Producer({"bootstrap.servers": bootstrap, "log_level": 0}) as producer:
        for value in values:
            producer.produce(topic, value)
        assert producer.flush(LIMIT_S) == 0


def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"readers-of-{topic}-{uuid.uuid4()}",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    values: list[bytes | None] = []
    deadline = time.monotonic() + LIMIT_S
    try:
        consumer.subscribe([topic])
        while len(values) < count and time.monotonic() < deadline:
            for message in consumer.consume(count - len(values), timeout=0.2):
                assert message.error() is None
                values.append(message.value())
    finally:
        consumer.close()
    return values


def test_it_keeps_what_a_group_then_reads(apache_kafka: ApacheKafka) -> None:
    produce(apache_kafka.bootstrap, "apache-smoke", [b"one", b"two", b"three"])
    assert consume(apache_kafka.bootstrap, "apache-smoke", 3) == [b"one", b"two", b"three"]


def test_data_and_address_outlive_a_restart_and_a_crash(apache_kafka: ApacheKafka) -> None:
    before = apache_kafka.bootstrap
    produce(before, "apache-restart", [b"before"])
    apache_kafka.restart()
    produce(before, "apache-restart", [b"between"])
    apache_kafka.restart(kill=True)
    produce(before, "apache-restart", [b"after"])
    assert apache_kafka.bootstrap == before
    assert consume(before, "apache-restart", 3) == [b"before", b"between", b"after"]
