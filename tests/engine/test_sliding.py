"""Sliding and unlimited windows (W6-W10, W17)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import TopologyError
from tests.driving import Driven, every, latest


def folding(windows: Any, app: ms.App | None = None, settings: EngineSettings | None = None) -> Driven:
    app = app or every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(windows)
    grouped.aggregate(initializer=str, aggregator=lambda v, total: total + v, value=str, store="w").to_stream().to(
        "out"
    )
    return Driven(app, settings)


def test_both_ends_belong_to_the_window() -> None:  # W6, W8, W9
    run = folding(ms.sliding(10, grace=50))
    assert run.says("in a x 100") == ["a[90,100]=x@100"]
    assert run.says("in a y 105") == ["a[101,111]=y@105", "a[95,105]=xy@105"]
    assert run.says("in a z 112") == ["a[106,116]=z@112", "a[102,112]=yz@112"]
    assert run.says("in a w 100") == ["a[95,105]=xyw@105", "a[90,100]=xw@100"]
    assert run.says("in a L 103") == [
        "a[102,112]=yzL@112",
        "a[101,111]=yL@105",
        "a[95,105]=xywL@105",
        "a[93,103]=xwL@103",
        "a[104,114]=yz@112",
    ]


def test_records_near_the_epoch_share_a_window() -> None:  # W10
    run = folding(ms.sliding(10, grace=50))
    assert run.says("in a e 5") == ["a[0,10]=e@5"]
    assert run.says("in a f 8") == ["a[6,16]=f@8", "a[0,10]=ef@8"]
    assert run.says("in a g 0") == ["a[1,11]=ef@8", "a[0,10]=efg@8"]


def test_late_records_and_nulls() -> None:  # W6, W7
    run = folding(ms.sliding(10, grace=5))
    run.pipe("in a x 100", "in - x 500", "in a - 500", "in b . 115", "in b . 116")
    run.out()
    assert run.says("in a y 101") == ["a[101,111]=y@101"]
    assert run.driver.metrics.late == 1
    assert run.says("in a z 100") == []


def test_the_latest_of_a_round() -> None:  # E4
    assert folding(ms.sliding(10), latest()).says("in a x 100", "in a y 100") == ["a[90,100]=x@100", "a[90,100]=xy@100"]


def test_only_the_windows_a_record_can_reach_are_kept() -> None:
    run = folding(ms.sliding(5))
    run.pipe(*(f"in k{t % 7} x {t}" for t in range(20, 600, 3)))
    store: Any = run.driver.rows("w")
    assert len(store) < 50


def test_kafkas_rule_forgets_a_neighbour() -> None:  # W20, Z1
    inputs = ("in a x 179", "in b . 199", "in b . 200", "in a y 189")
    kafka = EngineSettings(retention_rule="kafka")
    assert folding(ms.sliding(10, grace=11)).says(*inputs)[-2:] == ["a[180,190]=y@189", "a[179,189]=xy@189"]
    literal = folding(ms.sliding(10, grace=11), settings=kafka).says(*inputs)
    assert literal[-2:] == ["b[190,200]=..@200", "a[179,189]=y@189"]


def test_unlimited() -> None:  # W17
    run = folding(ms.unlimited(start=10))
    forever = 2**63 - 1
    assert run.says("in a early 9", "in a x 10", "in b . 10000", "in a y 5000") == [
        f"a[10,{forever}]=x@10",
        f"b[10,{forever}]=.@10000",
        f"a[10,{forever}]=xy@5000",
    ]


def test_windows_without_sense() -> None:
    for wrong in (lambda: ms.sliding(-1), lambda: ms.sliding(1, grace=-1), lambda: ms.unlimited(start=-1)):
        with pytest.raises(TopologyError, match="must not be negative"):
            wrong()
    with pytest.raises(TopologyError, match="too short"):
        every().stream("in").group_by_key().windowed_by(ms.sliding(10), retention=19)
