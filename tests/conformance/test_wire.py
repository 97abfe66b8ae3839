"""Every topic as bytes: outputs, repartition topics and changelogs are what Kafka Streams writes (rules F1-F12)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millstream.testing import TestDriver
from tests.conformance.functions import Spec
from tests.conformance.program import UnsupportedStepError, build
from tests.conformance.runner import WALL_MS, pipe
from tests.shared import CONFORMANCE


def shown(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


def row(key: bytes | None, value: bytes | None, timestamp: int, headers: Any) -> Spec:
    made: Spec = {"key": shown(key), "value": shown(value), "timestamp": None if timestamp < 0 else timestamp}
    if headers:
        made["headers"] = [[name, shown(text)] for name, text in headers]
    return made


def written(case: Spec) -> dict[str, list[Spec]]:
    with TestDriver(build(case).topology(), wall_ms=WALL_MS) as driver:
        for record in case["inputs"]:
            pipe(driver, record)
        topics = {name: [row(*record) for record in driver.read_bytes(name)] for name in case["topics"]}
        for batch in driver.changelog:
            headers = batch.headers or [()] * len(batch)
            rows = zip(batch.keys, batch.values, batch.timestamps, headers, strict=True)
            topics[batch.target.topic] += [row(*record) for record in rows]
    return topics


@pytest.mark.shared
def test_topics_hold_the_bytes_that_kafka_streams_writes() -> None:
    compared = []
    for case in json.loads((CONFORMANCE / "wire" / "wire.json").read_text()):
        try:
            topics = written(case)
        except UnsupportedStepError:
            continue
        assert topics == case["topics"], case["name"]
        compared.append(case["name"])
    assert len(compared) >= 7
