"""The two brokers that a test of the client or the runtime runs on, and topics of its own for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from millstream.broker.launch import EmbeddedBroker
from millstream.client.contract import TopicSpec
from millstream.client.librdkafka import LibrdkafkaClient, columns

KINDS = [pytest.param("embedded"), pytest.param("apache", marks=pytest.mark.kafka)]
_names = itertools.count()


@pytest.fixture(scope="session")
def embedded_bootstrap() -> Iterator[str]:
    """The address of an embedded broker that lives for the session."""
    with EmbeddedBroker.private(None) as broker:
        yield broker.bootstrap


@pytest.fixture(params=KINDS)
def bootstrap(request: pytest.FixtureRequest) -> str:
    """The address of a broker: the test runs once on each kind."""
    if request.param == "embedded":
        return str(request.getfixturevalue("embedded_bootstrap"))
    return str(request.getfixturevalue("apache_kafka").bootstrap)


@pytest.fixture(params=[pytest.param("columns", marks=pytest.mark.compiled), "messages"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How clients read and write: the test runs once with the compiled columns, and once without."""
    if request.param == "messages":
        monkeypatch.setattr(columns, "PLUGIN", None)
    return str(request.param)


@pytest.fixture
def client(bootstrap: str) -> LibrdkafkaClient:
    return LibrdkafkaClient(bootstrap)


@pytest.fixture
def new_topic(client: LibrdkafkaClient) -> Callable[..., str]:
    """Creates a topic that no other test has."""

    def create(name: str = "topic", partitions: int = 1, **config: str) -> str:
        topic = unique(name)
        admin = client.admin()
        admin.create_topics([TopicSpec(topic, partitions, config)], timeout_ms=10_000)
        admin.close()
        return topic

    return create


def unique(name: str) -> str:
    return f"{name}-{os.getpid()}-{next(_names)}"
