"""An alert opens below the benchmark, stays while doubtful, closes when figures are back or reports stop."""

from __future__ import annotations

import pytest
from examples.qos.alerts import Update, Watch, back, below, silent_at, step, went_silent
from examples.qos.model import Place
from examples.qos.results import PlaceFigures
from msgspec.structs import replace

from tests.qos.reports import BENCHMARK

PORTO = Place(cdn="meridian", location="Porto")
GOOD = PlaceFigures(
    reports=100,
    bad_reports=2,
    bad_share=0.02,
    bitrate_kbps=3_000.0,
    throughput_kbps=10_000.0,
    starts=0,
    startup_ms=0.0,
    rebuffer_ratio=0.0,
)
BAD = replace(GOOD, bad_reports=50, bad_share=0.5)


def update(at_ms: int, figures: PlaceFigures) -> Update:
    """An update that counts a report more each ms."""
    figures = replace(figures, reports=figures.reports + at_ms % 10_000)
    return Update(at_ms // 10_000 * 10_000, at_ms, figures, BENCHMARK)


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({}, ()),
        ({"bad_share": 0.26}, ()),  # 0.01 + 0.15 + 1 / sqrt(100)
        ({"bad_share": 0.2601}, ("bad reports",)),
        ({"bad_share": 0.9, "reports": 9}, ()),
        ({"bad_share": 0.4, "reports": 10}, ()),
        ({"bad_share": 0.5, "reports": 10}, ("bad reports",)),
        ({"throughput_kbps": 4_500.0}, ()),  # 10,000 * 0.5 * (1 - 0.1)
        ({"throughput_kbps": 4_499.9}, ("throughput",)),
        ({"starts": 7, "startup_ms": 9_000.0}, ()),
        ({"starts": 16, "startup_ms": 1_250.0}, ()),  # 500 * 2 * (1 + 1 / sqrt(16))
        ({"starts": 16, "startup_ms": 1_251.0}, ("start-up",)),
        ({"rebuffer_ratio": 0.2101, "bad_share": 0.5}, ("bad reports", "rebuffering")),
    ],
)
def test_below(fields, reasons):
    assert below(replace(GOOD, **fields), BENCHMARK) == reasons


@pytest.mark.parametrize(
    ("fields", "is_back"),
    [
        ({}, True),
        ({"reports": 9}, False),
        ({"bad_share": 0.17}, False),
        ({"throughput_kbps": 5_999.0}, False),
        ({"starts": 8, "startup_ms": 751.0}, False),
        ({"starts": 7, "startup_ms": 751.0}, True),
        ({"rebuffer_ratio": 0.07}, False),
    ],
)
def test_back(fields, is_back):
    assert back(replace(GOOD, **fields), BENCHMARK) is is_back


def run(*updates: Update):
    watch: Watch | None = None
    told = []
    for one in updates:
        watch, alerts = step(watch, PORTO, one)
        told += [(alert.status, alert.at_ms, alert.opened_ms, alert.reasons) for alert in alerts]
    return watch, told


def test_opens_once_and_closes_in_a_later_window():
    _, told = run(
        update(1_000, GOOD),
        update(2_000, BAD),
        update(3_000, BAD),
        update(4_000, GOOD),  # still the window that it opened in
        update(10_500, replace(GOOD, bad_share=0.2)),  # neither below nor back
        update(11_000, GOOD),
        update(12_000, GOOD),
    )
    assert told == [("open", 2_000, 2_000, ("bad reports",)), ("closed", 11_000, 2_000, ("back",))]


def test_silence_closes_at_the_full_second():
    watch, _ = run(update(2_100, BAD))
    assert watch is not None
    assert silent_at(2_100) == 33_000
    assert silent_at(3_000) == 33_000
    assert went_silent(watch, 32_999) is None
    closed = went_silent(watch, 40_000)
    assert closed is not None
    assert (closed.status, closed.at_ms, closed.opened_ms, closed.reasons) == ("closed", 33_000, 2_100, ("no reports",))


def test_a_report_after_the_silence_closes_first_and_may_open_anew():
    _, told = run(update(2_100, BAD), update(33_000, BAD))
    assert told == [
        ("open", 2_100, 2_100, ("bad reports",)),
        ("closed", 33_000, 2_100, ("no reports",)),
        ("open", 33_000, 33_000, ("bad reports",)),
    ]


def test_no_silence_without_an_open_alert():
    watch, _ = run(update(2_100, GOOD))
    assert watch is not None
    assert went_silent(watch, 99_000) is None


def test_an_older_window_changes_nothing():
    watch, _ = run(update(12_000, GOOD))
    assert step(watch, PORTO, update(9_000, BAD)) == (watch, [])


def test_an_update_sent_again_changes_nothing():
    watch, _ = run(update(2_100, BAD))
    assert watch is not None
    silent = replace(watch, alert=None)
    assert step(silent, PORTO, update(2_100, BAD)) == (silent, [])


def test_a_changed_benchmark_counts_from_the_next_update():
    dearer = replace(BENCHMARK, throughput_kbps=30_000)
    watch, told = run(update(1_000, GOOD))
    _, alerts = step(watch, PORTO, replace(update(1_100, GOOD), benchmark=dearer))
    assert not told
    assert [(alert.status, alert.reasons, alert.benchmark) for alert in alerts] == [("open", ("throughput",), dearer)]
