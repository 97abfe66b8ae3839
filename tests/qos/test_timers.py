"""Silences come due in order and once; time runs on by the wall clock where no record comes."""

from __future__ import annotations

from examples.qos.timers import RunningTime, Silences
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0, 1, 4_999, 5_000]) | st.integers(0, 3_000))))
def test_like_a_scan_over_all_keys(steps):
    silences, last, now_ms = Silences(5_000), {}, 0
    for key, step_ms in steps:
        now_ms += step_ms
        scanned = sorted((at_ms + 5_000, key) for key, at_ms in last.items() if at_ms + 5_000 <= now_ms)
        assert [(due_ms, key) for key, due_ms in silences.due(now_ms)] == scanned
        last = {key: at_ms for key, at_ms in last.items() if at_ms + 5_000 > now_ms}
        silences.heard(key, now_ms)
        last[key] = now_ms


def test_an_older_sign_of_life_changes_nothing():
    silences = Silences(5_000, [("a", 2_000)])
    silences.heard("a", 1_000)
    assert list(silences.due(7_000)) == [("a", 7_000)]


def test_what_was_kept_comes_due_after_a_restart():
    assert list(Silences(5_000, {"b": 30, "a": 10}.items()).due(6_000)) == [("a", 5_010), ("b", 5_030)]


def test_a_backlog_is_told_by_stream_time_however_old():
    time = RunningTime(5_000)
    assert [time.now(stream_ms, 9_000_000 + stream_ms) for stream_ms in range(0, 60_000, 4_000)] == list(
        range(0, 60_000, 4_000)
    )


def test_a_quiet_input_goes_on_by_the_wall_clock():
    time = RunningTime(5_000)
    assert [time.now(1_000, wall_ms) for wall_ms in (0, 5_000, 5_001, 12_000)] == [1_000, 1_000, 6_001, 13_000]
    assert time.now(1_500, 12_100) == 1_500
