"""Starts are told by their median."""

from __future__ import annotations

from benchmarks.start import Found, Start, table


def test_one_slow_start_does_not_change_what_is_told_but_is_seen() -> None:
    starts = [Start(0.5, 0.3), Start(0.6, 0.2), Start(9.0, 0.4)]
    told = table([Found("W1", "Millstream", starts)])
    assert told.endswith("| W1 | Millstream | 0.60 | 0.50 to 9.00 | 0.30 |")
