"""Latencies: outputs are matched with what was given, and percentiles are told in ms."""

from __future__ import annotations

from benchmarks.latency import Found, Given, Latency, latency, matched, table


def test_an_output_is_matched_with_its_record_and_warming_up_is_left_out() -> None:
    given = [Given(0.0, 0.0), Given(1.0, 1.25), Given(2.0, 2.0), Given(3.0, 3.0)]
    assert matched(given, {0: 9.0, 1: 1.5, 3: 3.5}, first=1) == [0.25, 0.5], "from when it was given, not when due"


def test_percentiles_are_those_of_all_outputs() -> None:
    assert latency([number / 1000 for number in range(101)]) == Latency(101, 50.0, 99.0, 100.0)


def test_the_broker_alone_has_no_application_whose_cpu_could_be_told() -> None:
    found = [Found("the broker alone", "", Latency(5, 0.5, 1.0, 2.0), 0.1, 0.0)]
    assert table(found).splitlines()[2] == "| the broker alone |  | 0.50 | 1.00 | 2.0 | 5 | 0.10 | - |"
