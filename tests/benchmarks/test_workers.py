"""What two workers do between two moments, and how much more that is than what one does."""

from __future__ import annotations

from benchmarks.workers import Found, Gain, Seen, between, table


def test_the_beginning_and_the_end_are_left_out() -> None:
    seen = [Seen(0, 0.0, 0.0, 5.0), Seen(200, 7.0, 3.0, 6.0), Seen(900, 8.0, 4.4, 6.7), Seen(1_000, 60.0, 50.0, 50.0)]
    assert between(seen, 1_000) == Found(0, 700.0, 2_000.0, 1_000.0)


def test_a_moment_between_two_commits_is_on_the_line_between_them() -> None:
    assert between([Seen(0, 0.0, 0.0, 0.0), Seen(1_000, 10.0, 5.0, 2.0)], 1_000) == Found(0, 100.0, 5_000.0, 2_000.0)


def test_cores_bound_what_two_workers_can_add() -> None:
    one, two = Found(1, 400_000.0, 2.5, 0.5), Found(2, 600_000.0, 2.5, 0.5)
    assert Gain.of(one, two, cores=2) == Gain(seen=1.5, possible=1.667, free=2.0)
    assert Gain.of(one, two, cores=8).possible == 2.0, "with enough cores their own cost is the bound"


def test_a_table_names_both() -> None:
    told = table("W2", Found(1, 400_000.0, 2.5, 0.5), Found(2, 600_000.0, 2.6, 0.4)).splitlines()
    assert told[2:] == ["| one worker | 400,000 | 2.50 | 0.50 |", "| two workers | 600,000 | 2.60 | 0.40 |"]
