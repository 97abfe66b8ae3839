"""Tables: filter, map_values, to_table, groups with adder and subtractor (rules K1-K13)."""

from __future__ import annotations

import pytest

import millstream as ms
from millstream.testing import TestDriver
from tests.driving import Driven, every, latest


def test_filter_without_a_store_tells_a_delete_for_whatever_fails() -> None:  # K4
    app = every()
    app.table("t", value=str).filter(lambda v: v.startswith("p")).to_stream().to("out")
    assert Driven(app).says("t a p1 0", "t a q 1", "t a q2 2", "t b q 3") == [
        "a=p1@0",
        "a=null@1",
        "a=null@2",
        "b=null@3",
    ]


def test_filter_of_a_stored_table_tells_only_deletes_of_what_was_there() -> None:  # K4
    app = every()
    app.table("t", value=str, store="s").filter(lambda v: v.startswith("p")).to_stream().to("out")
    assert Driven(app).says("t a p1 0", "t a q 1", "t a q2 2", "t b q 3") == ["a=p1@0", "a=null@1"]


def test_map_values_passes_every_change_on_and_may_delete() -> None:  # K5
    app = every()
    app.table("t", value=str).map_values(lambda v: None if v == "gone" else v.upper(), value=str).to_stream().to("out")
    assert Driven(app).says("t a x 0", "t a x 1", "t a gone 2", "t a - 3") == [
        "a=X@0",
        "a=X@1",
        "a=null@2",
        "a=null@3",
    ]


def test_a_stream_as_a_table() -> None:  # K6
    app = every()
    app.stream("s", value=str).to_table().to_stream().to("out")
    run = Driven(app)
    assert run.says("s a x 5", "s a y 3", "s a - 9") == ["a=x@5", "a=y@3", "a=null@9"]
    run.pipe("s - x 10")
    assert run.driver.metrics.dropped == 1


def grouped(app: ms.App) -> ms.Table[str, str]:
    return (
        app.table("t", value=str)
        .group_by(lambda _key, value: (value[0], value))
        .aggregate(lambda: "", lambda _k, v, agg: f"{agg}+{v}", lambda _k, v, agg: f"{agg}-{v}", value=str)
    )


class Account(ms.Record):
    city: str
    credit: int | None


class Totals(ms.Record):
    accounts: int
    credit: int
    usual: float | None
    different: int
    all_of_them: list[int]


def test_declared_aggregates_of_a_group_take_old_values_out() -> None:  # K12, K13
    app = every()
    by_city = app.table("t", value=Account).group_by(lambda _, account: (account.city, account), key=str)
    totals = by_city.aggregate(
        Totals,
        accounts=ms.count(),
        credit=ms.sum("credit"),
        usual=ms.mean("credit"),
        different=ms.count_distinct("credit"),
        all_of_them=ms.collect_list(lambda account: account.credit),
        store="totals",
    )
    totals.to_stream().to("out")
    app.stream("s", value=str).join(totals, lambda _, row: row, result=Totals).to("joined")
    with TestDriver(app) as driver:
        for key, account in (("a", ("x", 5)), ("b", ("x", 5)), ("c", ("x", None)), ("a", ("y", 7)), ("b", ("x", 6))):
            driver.pipe("t", Account(*account), key=key)
        driver.pipe("t", None, key="c")
        of_x = [record.value for record in driver.read("out") if record.key == "x"]
        assert of_x == [
            Totals(1, 5, 5.0, 1, [5]),
            Totals(2, 10, 5.0, 1, [5, 5]),
            Totals(3, 10, 5.0, 1, [5, 5]),
            Totals(2, 5, 5.0, 1, [5]),
            Totals(2, 6, 6.0, 1, [6]),
            Totals(1, 6, 6.0, 1, [6]),
        ]
        driver.pipe("s", "-", key="x")
        assert [record.value for record in driver.read("joined")] == [Totals(1, 6, 6.0, 1, [6])]


def test_groups_take_the_old_value_out_and_put_the_new_one_in() -> None:  # K10, K11, K12
    app = every()
    grouped(app).to_stream().to("out")
    run = Driven(app)
    assert run.says("t a p1 10", "t b p2 20") == ["p=+p1@10", "p=+p1+p2@20"]
    assert run.says("t a p3 5") == ["p=+p1+p2-p1+p3@20"]
    assert run.says("t a q1 30") == ["p=+p1+p2-p1+p3-p3@30", "q=+q1@30"]
    assert run.says("t b - 15") == ["p=+p1+p2-p1+p3-p3-p2@30"]
    assert run.says("t c - 40") == []


def test_counts_of_a_grouped_table_may_come_to_nought_and_stay() -> None:  # K13
    app = every()
    app.table("t", value=str).group_by(lambda _k, v: (v, v)).count().to_stream().to("out")
    assert Driven(app).says("t a x 0", "t b x 1", "t a - 2", "t b - 3") == ["x=1@0", "x=2@1", "x=1@2", "x=0@3"]


def test_reduce_begins_with_the_first_value_and_deletes_with_none() -> None:  # K13
    app = every()
    table = app.table("t", value=int).group_by(lambda _k, v: ("all", v), value=int)
    table.reduce(lambda agg, v: agg + v, lambda agg, v: (agg - v) or None).to_stream().to("out")
    run = Driven(app)
    for at, value in enumerate((3, 4, None)):
        run.driver.pipe("t", value, key="ab"[at % 2], timestamp=at)
    assert run.out() == ["all=3@0", "all=7@1", "all=4@2"]


def test_the_latest_of_a_round_carries_the_old_value_of_the_round_before() -> None:  # E4
    app = latest()
    grouped(app).to_stream().to("out")
    assert Driven(app).says("t a p1 0", "t a p2 1") == ["p=+p1@0", "p=+p1-p1+p2@1"]


def test_a_table_is_looked_up_behind_a_filter_and_a_mapping() -> None:
    app = every()
    table = app.table("t", value=str).filter(lambda v: v != "no").map_values(str.upper, value=str)
    app.stream("s", value=str).left_join(table, lambda v, row: f"{v}{row}", result=str).to("out")
    assert Driven(app).says("t a yes 0", "s a x 1", "t a no 2", "s a y 3") == ["a=xYES@1", "a=yNone@3"]


def test_a_null_key_cannot_be_grouped() -> None:
    app = every()
    app.table("t", value=str).group_by(lambda _key, _value: (None, "v")).count().to_stream().to("out")
    assert Driven(app).says("t a x 0") == []


@pytest.mark.parametrize("store", [None, "kept"])
def test_rows_that_leave_a_filter_leave_the_group(store: str | None) -> None:  # K3
    app = every()
    table = app.table("t", value=str).filter(lambda v: v != "no", store=store)
    table.group_by(lambda _k, _v: ("all", "1")).count().to_stream().to("out")
    assert Driven(app).says("t a x 0", "t a no 1", "t a no 2") == ["all=1@0", "all=0@1"]
