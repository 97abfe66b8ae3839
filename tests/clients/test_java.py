"""Kafka's own Java client does the same things on the embedded broker and on Apache Kafka, and sees the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from millstream.broker.launch import EmbeddedBroker
from tests.kafka.apache import JVM_OPTIONS, ApacheKafka
from tests.kafka.artifacts import compiled, java

SOURCES = Path(__file__).with_name("java")
LIMIT_S = 150
SCENARIOS = (
    "topics",
    "configs",
    "records",
    "offsets",
    "classic-groups",
    "consumer-groups",
    "transactions",
    "cluster",
)

Seen = dict[str, dict[str, Any]]
pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def seen(apache_kafka: ApacheKafka) -> tuple[Seen, Seen]:
    """What the client saw of the embedded broker, and of Apache Kafka."""
    with EmbeddedBroker.private(None) as broker:
        programs = [_start(broker.bootstrap), _start(apache_kafka.bootstrap)]
        embedded, apache = [_ended(program) for program in programs]
    return embedded, apache


def _start(bootstrap: str) -> subprocess.Popen[str]:
    command = [java(), *JVM_OPTIONS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", compiled(SOURCES)]
    command += ["Main", bootstrap, "java-client-"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def _ended(program: subprocess.Popen[str]) -> Seen:
    try:
        out, _ = program.communicate(timeout=LIMIT_S)
    finally:
        program.kill()
    assert program.returncode == 0
    scenarios = [part.partition("\n") for part in out.split("# ")[1:]]
    return {name: json.loads(body) for name, _, body in scenarios}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_sees_the_same(seen: tuple[Seen, Seen], scenario: str) -> None:
    embedded, apache = seen
    assert embedded[scenario] == apache[scenario]


def test_everything_was_tried(seen: tuple[Seen, Seen]) -> None:
    """Steps that fail on both would be equal as well: those that must not fail did not."""
    embedded, _ = seen
    assert tuple(embedded) == SCENARIOS
    records = embedded["records"]
    assert all(len(found) in {3, 12} for step, found in records.items() if step.startswith("records"))
    for protocol in ("classic", "consumer"):
        assert embedded[f"{protocol}-groups"]["two share"] == [2, 2]
    assert embedded["transactions"]["read_committed"] == ["0@0=round-0", "0@4=round-2", "1@0=round-0", "1@4=round-2"]
    failed = [step for steps in embedded.values() for step, result in steps.items() if "error: Timeout" in str(result)]
    assert failed == ["no such partition", "no such partition"]
