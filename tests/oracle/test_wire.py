"""Internal topics and changelogs byte for byte, as Kafka Streams' test driver wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.test_wire import written
from tests.oracle.kafka_streams import Case, KafkaStreams

CASES: list[Case] = json.loads((Path(__file__).with_name("cases") / "wire" / "wire.json").read_text())


def case_of(name: str) -> Case:
    return next(case for case in CASES if case["name"] == name)


@pytest.mark.parametrize("name", ["foreign-key-join", "foreign-key-left_join"])
def test_what_a_left_row_asks_of_the_right_side(name: str) -> None:  # F11, F12, F13, J27, J28, J29, J32, J34
    assert written(case_of(name)) == case_of(name)["topics"]


@pytest.mark.parametrize("name", ["foreign-key-null-join", "foreign-key-null-left_join"])
def test_what_a_left_row_without_a_foreign_key_asks(name: str) -> None:  # J31, J33
    assert written(case_of(name)) == case_of(name)["topics"]


def test_changes_of_a_grouped_table() -> None:  # F10, K11
    assert written(case_of("table-group")) == case_of("table-group")["topics"]


def test_records_that_wait_for_a_versioned_table() -> None:  # F8, J17
    assert written(case_of("grace-buffer")) == case_of("grace-buffer")["topics"]


@pytest.mark.nightly
@pytest.mark.kafka
def test_the_bytes_are_still_those_of_kafka_streams(oracle: KafkaStreams) -> None:
    for case in CASES:
        assert oracle.answer(case)["topics"] == case["topics"], case["name"]
