"""Descriptions are word for word those that Kafka Streams' own `describe()` gives."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from millstream.errors import TopologyError
from millstream.plan.describe import describe
from tests.conformance.program import UnsupportedStepError, build
from tests.conformance.runner import cases_in
from tests.shared import CONFORMANCE


@pytest.mark.shared
def test_descriptions_are_those_of_kafka_streams() -> None:
    wanted: dict[str, list[str]] = {}
    for path in (CONFORMANCE / "describe").rglob("*.json"):
        wanted |= json.loads(path.read_text())
    different = {}
    seen: Counter[str] = Counter()
    for case in cases_in(CONFORMANCE):
        try:
            got = describe(build(case).topology()).split("\n")
        except (UnsupportedStepError, TopologyError):
            continue
        if case["name"] in wanted:
            seen[case["name"]] += 1
            if got != wanted[case["name"]]:
                different[case["name"]] = got
    assert not different, json.dumps(different, indent=1)[:2000]
    assert len(seen) >= 610
