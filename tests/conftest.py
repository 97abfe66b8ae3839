"""The brokers that tests run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kafka.apache import ApacheKafka
from tests.kafka.artifacts import KafkaUnavailableError

pytest_plugins = ("tests.required",)


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """A running Apache Kafka for the whole session. A test that stops it starts it again."""
    try:
        node = ApacheKafka()
    except KafkaUnavailableError as missing:
        pytest.skip(str(missing))
    with node:
        yield node
