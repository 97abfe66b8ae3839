"""Small cases that random ones led to, with Kafka Streams' own answers: run without Java, and asked again with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from millstream.plan.describe import describe
from tests.conformance.program import build
from tests.conformance.runner import cases_in, run
from tests.oracle.compare import answered
from tests.oracle.kafka_streams import Case, KafkaStreams
from tests.oracle.shrink import shrunk

CASES = Path(__file__).with_name("cases")
DESCRIBED: dict[str, list[str]] = {
    name: lines for path in (CASES / "describe").rglob("*.json") for name, lines in json.loads(path.read_text()).items()
}


def named(case: Case) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", list(cases_in(CASES)), ids=named)
def test_the_answer_is_that_of_kafka_streams(case: Case) -> None:
    verdict = run(case)
    assert (verdict.unsupported, verdict.difference) == (None, None)
    if case["name"] in DESCRIBED:
        lines = describe(build(case).topology()).split("\n")
        assert lines == DESCRIBED[case["name"]]


@pytest.mark.nightly
@pytest.mark.kafka
def test_the_answers_are_still_those_of_kafka_streams(oracle: KafkaStreams) -> None:
    for case in cases_in(CASES):
        answer = oracle.answer(case)
        assert answered(case, answer) == case
        assert answer.get("describe") == DESCRIBED.get(case["name"])


def test_a_case_is_made_as_small_as_still_differs() -> None:
    steps: list[dict[str, Any]] = [
        {"let": "s1", "op": "stream", "topic": "in", "type": ["string", "string"]},
        {"let": "s2", "op": "peek", "of": "s1", "named": "looked", "type": ["string", "string"]},
        {"let": "s3", "op": "stream", "topic": "other", "type": ["string", "string"]},
        {"op": "to", "of": "s2", "topic": "out"},
    ]
    inputs = [{"topic": topic, "key": "a", "value": "x", "timestamp": 1} for topic in ("in", "other", "in", "in")]
    found = shrunk(
        {"name": "n", "topology": steps, "inputs": inputs, "config": {"optimization": "all"}},
        lambda case: len(case["inputs"]) >= 2 and any(step["op"] == "to" for step in case["topology"]),
    )
    assert [step["op"] for step in found["topology"]] == ["stream", "to"]
    assert len(found["inputs"]) == 2
    assert found["config"] == {}
