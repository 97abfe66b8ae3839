from __future__ import annotations

import pytest

from millstream.model import TopicPartition
from millstream.runtime.decisions import (
    LARGEST_CHUNK,
    SMALLEST_CHUNK,
    chunk_rows,
    fair_mark,
    fetch_size,
    flow,
    idle_wait_ms,
    water_mark,
)

A, B, C = (TopicPartition("t", number) for number in range(3))


def test_a_partition_pauses_at_the_high_mark_and_resumes_below_its_half():
    assert flow({A: 100, B: 99, C: 0}, frozenset(), high=100).pause == (A,)
    assert flow({A: 100, B: 50, C: 49}, frozenset({A, B, C}), high=100).resume == (C,)
    assert flow({A: 100}, frozenset({A}), high=100).pause == ()
    assert flow({A: 0}, frozenset(), high=100).resume == ()


def test_large_records_make_small_fetches_and_buffers():
    assert fetch_size(10_000, 8_000_000, row_bytes=100) == 10_000
    assert fetch_size(10_000, 8_000_000, row_bytes=100_000) == 80
    assert fetch_size(10_000, 8_000_000, row_bytes=100_000_000) == 10
    assert water_mark(1_000, 32_000_000, row_bytes=1_000_000) == 32


@pytest.mark.parametrize(
    ("rows", "elapsed_ms", "before", "expected"),
    [
        (100, 100.0, 100, SMALLEST_CHUNK),
        (100, 1.0, 100, 200),
        (5_000, 1.0, 5_000, LARGEST_CHUNK),
        (1, 1_000.0, 10, SMALLEST_CHUNK),
        (0, 5.0, 70, 70),
        (10, 0.0, 10, 20),
    ],
)
def test_a_chunk_is_about_ten_milliseconds_of_work(rows, elapsed_ms, before, expected):
    assert chunk_rows(rows, elapsed_ms, before) == expected


def test_waiting_is_for_those_without_work():
    assert idle_wait_ms(worked=True, held_back=True, until_timer_ms=None) == 0
    assert idle_wait_ms(worked=False, held_back=False, until_timer_ms=None) == 100
    assert idle_wait_ms(worked=False, held_back=True, until_timer_ms=None) == 20
    assert idle_wait_ms(worked=False, held_back=True, until_timer_ms=None, asked=True) == 2
    assert idle_wait_ms(worked=False, held_back=False, until_timer_ms=None, without_tasks=True) == 20
    assert idle_wait_ms(worked=False, held_back=False, until_timer_ms=7) == 7
    assert idle_wait_ms(worked=False, held_back=False, until_timer_ms=0) == 0


def test_all_partitions_together_stay_within_the_workers_bound():
    assert fair_mark(100, [], allowed=150) == 100
    assert fair_mark(100, [80, 60], allowed=150) == 100
    assert fair_mark(100, [100, 60], allowed=150) == 75
    assert fair_mark(100, [100] * 50, allowed=150) == 10, "each partition goes on a little"
