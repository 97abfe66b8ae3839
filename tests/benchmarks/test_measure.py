"""Costs from what was seen of a run, and what the system tells of a process."""

from __future__ import annotations

import os
import sys
import time

import pytest
from benchmarks.measure import Mark, cost, cpu_s, peak_mb


def test_the_second_half_begins_on_the_line_between_the_marks_around_the_middle() -> None:
    marks = [Mark(0, 0, 0), Mark(1, 2.0, 450), Mark(2, 3.0, 550), Mark(3, 3.9, 1_000)]
    found = cost(marks, 1_000, 64.0)
    assert (found.cpu_us, found.late_cpu_us, found.peak_mb) == (3_900.0, 2_800.0, 64.0)
    assert round(found.per_second) == 333


def test_the_middle_of_a_run_is_that_of_all_its_work_and_its_cost_is_by_record_of_the_input() -> None:
    marks = [Mark(0, 0, 0), Mark(1, 2.0, 1_000, 0.5), Mark(2, 3.0, 1_500, 0.6)]
    found = cost(marks, 1_000, 64.0)
    assert (found.cpu_us, found.late_cpu_us, found.compiling_us) == (3_000.0, 3_000.0, 450.0)


def test_a_run_seen_only_at_its_end_has_no_second_half() -> None:
    assert cost([Mark(0, 0, 0), Mark(1, 1.0, 100)], 100, 1.0).late_cpu_us is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_cpu_time_and_memory_of_a_process_are_the_systems() -> None:
    ballast = bytearray(os.urandom(1)) * 30_000_000
    used = cpu_s(os.getpid())
    assert abs(used - time.process_time()) < 0.5
    assert peak_mb(os.getpid()) > len(ballast) / 2**20
