"""The benchmark of few rows and many: its loads are as promised, and each of its programs runs."""

from __future__ import annotations

import pytest
from benchmarks.keyed import BLOCK, HOT_KEYS, WORKLOADS, Keyed
from benchmarks.keys import Dictionaries, Driven, cost

BY_NAME = {workload.name: workload for workload in WORKLOADS}


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_a_load_is_as_large_for_few_keys_as_for_many(workload: Keyed) -> None:
    for rows in (1_000, 5_000):
        blocks = list(workload.blocks(rows, 2_000, first=10_000))
        assert [len(block.keys) for block in blocks] == [BLOCK] * 4
        for block in blocks:
            assert len(set(block.keys)) == (HOT_KEYS if workload.hot else BLOCK)
        late = sum(time < 10_000 + at for block in blocks for at, time in enumerate(block.timestamps))
        assert (late > 0) is workload.late


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_a_steady_state_holds_about_as_many_rows_as_asked_for(workload: Keyed) -> None:
    held = []
    for rows in (1_000, 4_000):
        driven = Driven(workload, rows)
        for block in workload.blocks(rows, workload.fills * rows, 0):
            driven.process(block)
        held.append(driven.rows())
        assert 0.4 * rows < driven.rows() < 2.5 * rows
    assert held[1] == pytest.approx(4 * held[0], rel=0.2)


def test_dictionaries_hold_the_same_counts() -> None:
    plain = Dictionaries(1_000)
    for block in BY_NAME["tumbling"].blocks(1_000, 4_000, 0):
        plain.process(block)
    assert sum(int(str(row[0])) for rows in plain.windows.values() for row in rows.values()) == 4_000


def test_a_cost_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.keys.AT_LEAST", BLOCK)
    assert cost(BY_NAME["session"], 1_000).us > 0
