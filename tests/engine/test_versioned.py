"""Versioned tables: as of a moment, out of order, with grace (rules J16, J17, J25, K15-K17)."""

from __future__ import annotations

import pytest

import millstream as ms
from tests.driving import Driven, every


def test_streams_meet_the_row_of_their_own_time() -> None:  # J16
    app = every()
    prices = app.table("T", value=str, history="1s")
    app.stream("L", value=str).join(prices, lambda v, row: f"{v}+{row}", result=str).to("out")
    assert Driven(app).says("T a t1 10", "T a t2 20", "L a x 15", "L a y 25", "L a z 5") == ["a=x+t1@15", "a=y+t2@25"]


def test_with_grace_records_wait_for_rows_of_their_time() -> None:  # J17
    app = every()
    prices = app.table("T", value=str, history="1s")
    app.stream("L", value=str).join(prices, lambda v, row: f"{v}+{row}", result=str, grace=10).to("out")
    run = Driven(app)
    assert run.says("T a t1 10", "T a t2 20", "L a x 15", "L a y 24") == []
    assert run.says("L a z 25") == ["a=x+t1@15"]
    assert run.says("L a w 35") == ["a=y+t2@24", "a=z+t2@25"]
    assert run.says("L a late 24") == ["a=late+t2@24"]


def test_waiting_records_keep_their_headers() -> None:  # T8
    app = every()
    rows = app.table("T", value=str, history="1s")
    app.stream("L", value=str).left_join(rows, lambda v, _row: v, result=str, grace=5).to("out")
    with ms.testing.TestDriver(app) as driver:
        driver.pipe("L", "x", key="a", timestamp=1, headers=(("h", b"1"),))
        driver.pipe("L", "y", key="a", timestamp=9)
        assert [(record.value, record.headers) for record in driver.read("out")] == [("x", (("h", b"1"),))]


def test_an_update_that_is_not_the_latest_changes_no_join_and_no_group() -> None:  # J25, K17
    app = every()
    left, right = app.table("L", value=str, history="1s"), app.table("R", value=str, history="1s")
    left.join(right, lambda x, y: f"{x}+{y}", result=str).to_stream().to("out")
    left.group_by(lambda _k, v: (v[0], v)).count().to_stream().to("counts")
    left.to_stream().to("all")
    run = Driven(app)
    assert run.says("R a y 10", "L a x 20", "L a old 15") == ["a=x+y@20"]
    assert run.out("counts") == ["x=1@20"]
    assert run.out("all") == ["a=x@20", "a=old@15"]


def test_what_is_older_than_the_history_is_dropped() -> None:  # K15
    app = every()
    app.table("T", value=str, history=50).to_stream().to("out")
    run = Driven(app)
    assert run.says("T a x 100", "T b y 50", "T c z 49") == ["a=x@100", "b=y@50"]
    assert run.driver.metrics.dropped == 1


def test_grace_needs_a_versioned_table_with_enough_history() -> None:
    app = every()
    stream = app.stream("L", value=str)
    with pytest.raises(ms.TopologyError, match=r"test_versioned.py:\d+: grace= needs a versioned table"):
        stream.join(app.table("T", value=str), lambda v, _row: v, grace="1s")
    with pytest.raises(ms.TopologyError, match=r"knows 500 ms of its history, less than the grace of 1000 ms"):
        stream.join(app.table("U", value=str, history=500), lambda v, _row: v, grace="1s")


def test_a_failure_below_an_old_version_leaves_other_updates_the_latest() -> None:  # K17, D7
    def refuse(value: str) -> None:
        if value == "bad":
            raise ValueError(value)

    app = every()
    app.table("T", value=str, history="1s").to_stream().foreach(refuse)
    counts = app.stream("S", value=str).group_by_key().count()
    counts.group_by(lambda _k, n: (f"{n}", n)).count().to_stream().to("out")
    run = Driven(app)
    run.pipe("T a x 20")
    with pytest.raises(ms.MillstreamError, match="ValueError: bad"):
        run.pipe("T a bad 10")
    assert run.says("S b y 30")[-1:] == ["1=1@30"]
