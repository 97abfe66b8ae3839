"""Kafka Streams as the oracle, where Java and Maven are there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kafka.artifacts import KafkaUnavailableError, java
from tests.oracle import kafka_streams
from tests.oracle.kafka_streams import KafkaStreams


@pytest.fixture(scope="module")
def oracle() -> Iterator[KafkaStreams]:
    try:
        java()
        kafka_streams.built()
    except KafkaUnavailableError as missing:
        pytest.skip(str(missing))
    with KafkaStreams() as running:
        yield running
