"""One broker process for all tests with real clients; each test uses topics and groups of its own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, Message

from millstream.broker import EmbeddedBroker

_names = itertools.count()
PATIENCE_S = 20.0


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker.private() as running:
        yield running


@pytest.fixture
def name() -> str:
    return f"name-{next(_names)}"


def consume(consumer: Consumer, count: int) -> list[Message]:
    """Poll until `count` messages are there; fails with what came if they are not in time."""
    found: list[Message] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < deadline:
        found += [message for message in consumer.consume(count - len(found), 0.2) if not message.error()]
    assert len(found) == count, f"{len(found)} of {count} messages came"
    return found


def wait_until(condition: Callable[[], bool], turn: Callable[[], object]) -> None:
    """Do `turn` (which waits a little itself, as a poll does) until the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        turn()
