"""The brokers that tests run on."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from millstream.broker.launch import EmbeddedBroker
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


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def any_broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """A broker's address: first a new embedded one in memory, then the session's Apache Kafka.

    The latter is shared: a test takes topics and groups with names of its own.
    """
    if request.param == "apache":
        node: ApacheKafka = request.getfixturevalue("apache_kafka")
        yield node.bootstrap
    else:
        with EmbeddedBroker.private(None) as broker:
            yield broker.bootstrap


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """At the end of a module, free the clients that it made.

    A client and the object that it calls back hold each other, so a closed one stays until the collector looks at what
    has lived for long, which is seldom with so many tests loaded; and a process can have about a thousand.
    """
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
