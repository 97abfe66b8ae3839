"""Stream-table and global-table joins (J13-J15), tables (K1, K2, K6)."""

from __future__ import annotations

import millstream as ms
from tests.driving import Driven, every


def joined(*, left: bool) -> Driven:
    app = every()
    table = app.table("T", value=str)
    stream = app.stream("L", value=str)
    join = stream.left_join if left else stream.join
    join(table, lambda v, row: f"{v}+{row}", result=str).to("out")
    return Driven(app)


def test_only_stream_records_emit_with_their_own_time() -> None:  # J13
    run = joined(left=False)
    assert run.says("L a x 100", "T a t1 200") == []
    assert run.says("L a y 50") == ["a=y+t1@50"]
    assert run.says("T a t2 10", "L a z 5") == ["a=z+t2@5"]
    assert run.says("T a - 1", "L a z 5") == []


def test_inner_drops_nulls() -> None:  # J14
    run = joined(left=False)
    run.pipe("T a t 1")
    assert run.says("L - x 1", "L a - 2") == []
    assert run.driver.metrics.dropped == 2


def test_left() -> None:  # J14
    run = joined(left=True)
    assert run.says("L a x 1", "T a t 2", "L a y 3", "L - z 4", "L a - 5") == ["a=x+None@1", "a=y+t@3", "null=z+None@4"]


def test_null_keys_pass_a_repartition_before_a_left_join() -> None:  # O6
    app = every()
    table = app.table("T", value=str)
    rekeyed = app.stream("L", value=str).select_key(lambda v: None if v == "n" else v)
    rekeyed.left_join(table, lambda v, row: f"{v}+{row}", result=str).to("out")
    assert Driven(app).says("T x t 0", "L k n 5", "L k x 6") == ["null=n+None@5", "x=x+t@6"]


def test_null_keys_are_dropped_before_an_inner_join() -> None:  # O6
    app = every()
    table = app.table("T", value=str)
    rekeyed = app.stream("L", value=str).select_key(lambda v: None if v == "n" else v)
    rekeyed.join(table, lambda v, row: f"{v}+{row}", result=str).to("out")
    assert Driven(app).says("T x t 0", "L k n 5", "L k x 6") == ["x=x+t@6"]


def test_joiners_may_see_the_key() -> None:
    app = every()
    table = app.table("T", value=str)
    app.stream("L", value=str).join(table, lambda k, v, row: f"{k}{v}{row}", result=str).to("out")
    assert Driven(app).says("T a t 1", "L a x 2") == ["a=axt@2"]


def test_the_first_attached_of_two_children_of_one_record_goes_first() -> None:  # J18, O1
    app = every()
    stream = app.stream("in", value=str)
    counts = stream.group_by_key().count()
    stream.join(counts, lambda v, n: f"{v}{n}", result=str).to("out")
    assert Driven(app).says("in a x 1", "in a y 2") == ["a=x1@1", "a=y2@2"]


def globally(*, left: bool) -> Driven:
    app = every()
    table = app.global_table("G", value=str)
    stream = app.stream("L", value=str)
    join = stream.left_join if left else stream.join
    join(table, lambda v, row: f"{v}+{row}", key=lambda k, v: None if v == "n" else v, result=str).to("out")
    return Driven(app)


def test_global_join() -> None:  # J15
    run = globally(left=False)
    run.pipe("G x t 900", "G - y 1")
    assert run.says("L k x 5", "L - x 6", "L k q 7", "L k n 8", "L k - 9") == ["k=x+t@5", "null=x+t@6"]
    run.pipe("G x - 1")
    assert run.says("L k x 5") == []


def test_left_global_join() -> None:  # J15
    run = globally(left=True)
    run.pipe("G x t 900")
    assert run.says("L k x 5", "L k q 7", "L k n 8", "L k - 9") == ["k=x+t@5", "k=q+None@7", "k=n+None@8"]


def test_a_table_as_a_stream() -> None:  # K1, K6
    app = every()
    app.table("T", value=str).to_stream().to("out")
    said = Driven(app).says("T a x 10", "T a x 5", "T b - 7", "T - q 8")
    assert said == ["a=x@10", "a=x@5", "b=null@7"]


def test_an_older_update_overwrites_and_time_goes_back() -> None:  # K1
    app = every()
    table = app.table("T", value=str, store="s")
    table.to_stream().to("out")
    run = Driven(app)
    assert run.says("T a x 10", "T a y 5", "T b - 7") == ["a=x@10", "a=y@5", "b=null@7"]
    store = run.driver.store("s")
    assert isinstance(store, ms.KeyValueStore)
    assert (store.get("a"), store.timestamp("a")) == ("y", 5)
    assert [(list(b.keys), list(b.values), list(b.timestamps)) for b in run.driver.changelog] == [  # F1
        ([b"a"], [b"x"], [10]),
        ([b"a"], [b"y"], [5]),
        ([b"b"], [None], [7]),
    ]


def test_a_table_that_nobody_looks_up_has_no_store() -> None:  # K2
    app = every()
    app.table("T", value=str).to_stream().to("out")
    assert app.topology().stores == ()
