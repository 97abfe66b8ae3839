"""A window's sums count each report once and give plain quotients."""

from __future__ import annotations

import msgspec
from examples.qos.window import WindowSums, add, figures
from hypothesis import given
from hypothesis import strategies as st

from tests.qos.reports import report


def test_figures():
    sums = WindowSums()
    add(report(number=0, startup_ms=400, bitrate_kbps=1_000, throughput_kbps=7_000), sums)
    add(report(number=1, rebuffer_ms=2_000, bitrate_kbps=2_000, throughput_kbps=4_000), sums)
    got = figures(sums)
    assert (got.reports, got.bad_reports, got.bad_share) == (2, 1, 0.5)
    assert (got.bitrate_kbps, got.throughput_kbps) == (1_500.0, 5_500.0)
    assert (got.starts, got.startup_ms) == (1, 400.0)
    assert got.rebuffer_ratio == 2_000 / 10_000


def test_one_stall_counts_for_a_window_at_most():
    assert add(report(rebuffer_ms=200_000), WindowSums()).rebuffer_ms == 10_000


def test_sums_do_not_share_what_they_counted():
    add(report(number=5), WindowSums())
    assert add(report(number=5), WindowSums()).reports == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=30))
def test_reports_sent_again_change_nothing(extra):
    once, again = WindowSums(), WindowSums()
    for number in range(4):
        for session in "abc":
            add(report(session=session, number=number), once)
            add(report(session=session, number=number), again)
    for session, number in extra:
        add(report(session=session, number=number, rebuffer_ms=50), again)
    assert once == again


def test_sums_survive_their_changelog():
    sums = add(report(), WindowSums())
    assert msgspec.json.decode(msgspec.json.encode(sums), type=WindowSums) == sums
