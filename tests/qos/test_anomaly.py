"""A sudden fall is an anomaly, told once; a slow network is none."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from examples.qos.anomaly import Baseline, step
from examples.qos.model import Report

from tests.qos.reports import report, slow


def run(reports: Iterable[Report], every_ms: int = 4_000):
    baseline: Baseline | None = None
    told = []
    for number, one in enumerate(reports):
        baseline, anomaly = step(baseline, one, number * every_ms)
        if anomaly is not None:
            told.append((anomaly.status, anomaly.since_ms // every_ms, anomaly.at_ms // every_ms))
    return told


def test_one_fall_gives_one_anomaly_and_its_end():
    assert run([report()] * 8 + [slow()] * 6 + [report()] * 5) == [("fell", 8, 9), ("recovered", 8, 15)]


def test_a_single_slow_chunk_is_no_fall():
    assert run(([report()] * 8 + [slow()]) * 4) == []


def test_a_slow_network_is_no_anomaly():
    random = Random(1)
    assert run(slow(random.randint(700, 1_300)) for _ in range(200)) == []


def test_a_fall_that_hurts_nobody_is_no_anomaly():
    assert run([report(throughput_kbps=80_000, delivery_ms=150)] * 8 + [report(delivery_ms=1_200)] * 8) == []


def test_a_fall_while_warming_up_is_not_told():
    assert run([report()] * 4 + [slow()] * 8) == []


def test_what_lasts_becomes_usual():
    told = run([report()] * 8 + [slow()] * 60)
    assert told == [("fell", 8, 9), ("settled", 8, 27)]


def test_after_settling_a_further_fall_is_told():
    told = run([report()] * 8 + [slow()] * 60 + [slow(50)] * 3)
    assert told == [("fell", 8, 9), ("settled", 8, 27), ("fell", 68, 69)]


def test_small_chunks_say_nothing_unless_slow():
    tiny = report(chunk_kbit=20, throughput_kbps=300, delivery_ms=60)
    assert run([report(), tiny] * 8 + [tiny] * 10) == []
    assert run([report()] * 8 + [slow(30, chunk_kbit=100)] * 2) == [("fell", 8, 9)]


def test_a_long_silence_starts_anew():
    baseline: Baseline | None = None
    for number in range(8):
        baseline, _ = step(baseline, report(), number * 4_000)
    assert baseline is not None
    baseline, _ = step(baseline, slow(), 28_000 + 600_000)
    assert baseline == Baseline(628_000, readings=1, mean=baseline.mean)


def test_a_report_that_is_not_newer_changes_nothing():
    baseline, _ = step(None, report(), 1_000)
    assert step(baseline, slow(), 1_000) == (baseline, None)


def test_no_throughput_at_all_is_a_reading():
    assert run([report()] * 8 + [slow(0)] * 2) == [("fell", 8, 9)]
