"""The benchmark of a killed worker runs, and tells what it saw."""

from __future__ import annotations

from benchmarks.fail_over import FailOver, measured, table


def test_the_other_worker_goes_on_from_its_copy() -> None:
    found = measured(500, 1, "memory")
    assert (found.store, found.copies, found.restored) == ("memory", 1, 0)
    assert 0 < found.given_s <= found.output_s


def test_what_was_seen_is_told_in_a_table() -> None:
    told = table([FailOver("memory", 0, 8.06, 6.04, 1_000_003)]).splitlines()
    assert told[2] == "| memory | 0 | 8.1 | 6.0 | 1,000,003 |"
