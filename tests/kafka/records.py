"""Records written and read with confluent-kafka alone, to compare with."""

from __future__ import annotations

import time
import uuid

from confluent_kafka import Consumer, Producer

LIMIT_S = 30


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    """Write values without keys, and return when all are acknowledged."""
    settings = {"bootstrap.servers": bootstrap, "message.timeout.ms": LIMIT_S * 1000, "log_level": 0}
    with Producer(settings) as producer:
        for value in values:
            producer.produce(topic, value)
        assert producer.flush(LIMIT_S) == 0


def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    """The first values of a topic, up to `count`, as a new consumer group gets them."""
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
