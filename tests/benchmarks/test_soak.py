"""A worker and the embedded broker at full load: what they take does not grow."""

from __future__ import annotations

import pytest
from benchmarks.soak import Course, Look, course, soak, table

MINUTES = 30.0


def test_what_grows_from_the_middle_third_to_the_last_is_seen() -> None:
    filling = [Look(50.0, 20)] * 4
    assert not course([*filling, *[Look(90.0, 30)] * 4, *[Look(98.0, 31)] * 4]).grown
    larger = [*filling, *[Look(90.0, 30)] * 4, *[Look(100.0, 30)] * 4]
    assert course(larger).grown
    assert not course(larger, memory_counts=False).grown
    assert course([*filling, *[Look(90.0, 30)] * 4, *[Look(90.0, 39)] * 4]).grown


def test_the_table_says_what_has_grown() -> None:
    assert table({"broker": Course((1, 50.0, 80.0), (9, 9, 9))}).endswith("| broker | 1, 50, 80 | 9, 9, 9 | YES |")


@pytest.mark.nightly
@pytest.mark.timeout(60 * MINUTES + 300)
@pytest.mark.parametrize("store", ["memory", "rocksdb"])
@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once_v2"])
def test_half_an_hour_at_full_load(store: str, guarantee: str) -> None:
    found, _ = soak(MINUTES, store, guarantee)
    assert not any(each.grown for each in found.values()), table(found)
