"""The workloads and their programs."""

from __future__ import annotations

import json

import pytest
from benchmarks.data import Load, reports, session
from benchmarks.programs import PROGRAMS, Report, Totals, application
from benchmarks.workloads import WORKLOADS, chosen

from millstream.testing import TestDriver


def test_every_workload_has_a_program() -> None:
    assert set(PROGRAMS) == {workload.name for workload in WORKLOADS}
    for workload in WORKLOADS:
        assert application(workload.name, "app", workload.load.topic, "output").topology().subtopologies


def test_an_unknown_workload_is_named() -> None:
    with pytest.raises(ValueError, match="no workload W99; there are: W1, "):
        chosen("W1,W99")


def test_reports_are_as_promised() -> None:
    rows = list(reports(Load("reports", 50), 4_000))
    assert rows == list(reports(Load("reports", 50), 4_000))
    assert {len(key) for key, _, _ in rows} == {10}
    assert {key for key, _, _ in rows} == {session(number) for number in range(50)}
    assert [timestamp - rows[0][2] for _, _, timestamp in rows] == list(range(4_000))
    values = [json.loads(value) for _, value, _ in rows]
    assert sum(len(value) for _, value, _ in rows) / 4_000 == pytest.approx(113, abs=1)
    for field, test in (("live", lambda value: value), ("rebuffer", lambda value: value > 0)):
        assert sum(test(value[field]) for value in values) == pytest.approx(2_000, abs=200)
    assert all(value["bitrate"] < 0.78 * 5_000_000 or value["bitrate"] > 0.85 * 5_000_000 for value in values)


def test_counts_and_sums_are_those_of_the_reports() -> None:
    with TestDriver(application("W2", "app", "reports", "output")) as driver:
        for bitrate in (10, 32):
            report = Report("s1", "city-01", "cdn-0", bitrate, 0, True, "tv")
            driver.pipe("reports", report, key="s1", timestamp=1_000)
        assert driver.read("output", value=Totals)[-1].value == Totals(2, 42)
