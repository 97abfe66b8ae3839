"""Joins of two streams: inner, left and outer, in windows with grace (J1-J12, F4, F5, N1, N9, O4, O6, O8)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.dsl.program import Program
from millstream.engine import EngineSettings
from millstream.errors import TopologyError
from millstream.plan.internal import internal_topics
from tests.driving import Driven, every
from tests.engine.tasks import Plan, Row, batch_of, rows_of


def text(left: Any, right: Any) -> str:
    return f"{left or 'null'}+{right or 'null'}"


def no_key() -> str:
    return None  # type: ignore[return-value]


def program(kind: str, window: Any, app: ms.App | None = None, **options: Any) -> ms.App:
    app = app or every()
    left, right = app.stream("L", value=str), app.stream("R", value=str)
    join: Any = {"inner": left.join, "left": left.left_join, "outer": left.outer_join}[kind]
    joined: ms.Stream[Any, str] = join(right, text, window=window, result=str, **options)
    joined.to("out")
    return app


def driven(kind: str, window: Any) -> Driven:
    return Driven(program(kind, window))


def test_inner() -> None:  # J1, J4, J6, J7, J12
    run = driven("inner", ms.join_window(10, grace=5))
    assert run.says("L a x 100") == []
    assert run.says("R a y 110") == ["a=x+y@110"]
    assert run.says("R a z 111") == []
    assert run.says("L a q 120") == ["a=q+y@120", "a=q+z@120"]
    assert run.says("R a w 90") == ["a=x+w@100"]
    assert run.says("L a x2 100") == ["a=x2+w@100", "a=x2+y@110"]


def test_outer() -> None:  # J4, J5, J8
    run = driven("outer", ms.join_window(10, grace=5))
    assert run.says("L a x 100", "R b y 100", "R a y 101") == ["a=x+y@101"]
    assert run.says("L c z 102", "R d z 102") == []
    assert run.says("L e m 118") == ["b=null+y@100", "d=null+z@102", "c=z+null@102"]
    assert run.says("L q l 90") == ["q=l+null@90"]
    assert run.says("R q r 107") == ["q=null+r@107"]
    assert run.says("R q r 108") == []


def test_left_rows_go_on_alone_when_their_turn_comes() -> None:  # J8, J9, Z2
    run = driven("left", ms.join_window(10))
    assert run.says("L a x 100", "L b x 105", "L c x 108") == []
    assert run.says("L d x 111") == ["a=x+null@100"]
    assert run.says("L e x 117") == []  # b is due, but the look at 111 ended at c
    assert run.says("L g x 119") == ["b=x+null@105", "c=x+null@108"]


def test_right_records_of_a_left_join_never_go_on_alone() -> None:  # J5
    run = driven("left", ms.join_window(10))
    assert run.says("R a y 100", "L b x 300", "R a z 50") == []


def test_before_and_after() -> None:  # J4, J5
    run = driven("inner", ms.join_window(before=10, after=0, grace=20))
    assert run.says("R a y 90", "R a z 101", "L a x 100") == ["a=x+y@100"]
    assert run.says("R a w 100") == ["a=x+w@100"]
    assert run.says("R a v 89") == []
    run = driven("inner", ms.join_window(before=-5, after=10, grace=20))  # from 5 to 10 later
    assert run.says("L a x 100", "R a early 104", "R a in 105", "R a last 110", "R a out 111") == [
        "a=x+in@105",
        "a=x+last@110",
    ]


def test_nulls() -> None:  # J2
    run = driven("inner", ms.join_window(10))
    assert run.says("L - x 1", "L a - 2", "R - y 1", "R a - 2") == []
    assert run.driver.metrics.dropped == 4
    run = driven("left", ms.join_window(10))
    assert run.says("L - x 1", "L a - 2", "R - y 1") == ["null=x+null@1"]
    run = driven("outer", ms.join_window(10))
    assert run.says("L - x 1", "R - y 1") == ["null=x+null@1", "null=null+y@1"]


def test_dropped_and_late_records_move_time_but_expire_nothing() -> None:  # J1, J3
    run = driven("left", ms.join_window(10))
    assert run.says("L a x 100", "R z - 200") == []
    assert run.says("L b y 150") == ["b=y+null@150"]  # late by the dropped record's time, at once alone
    assert run.says("L c z 200") == ["a=x+null@100"]


def test_each_side_finds_by_the_others_own_time() -> None:  # J7
    run = driven("inner", ms.join_window(10, grace=5))  # retention 25
    run.pipe("R a y 100", "L a far 500")
    assert run.says("L a x 100") == ["a=x+y@100"]  # R's newest is still 100
    run.pipe("R b q 125")
    assert run.says("L a x 100") == []  # 100 <= 125 - 25


def test_a_stream_with_itself() -> None:  # J11
    app = every()
    stream = app.stream("in", value=str)
    stream.join(stream, text, window=ms.join_window(10, grace=5), result=str).to("out")
    run = Driven(app)
    assert run.says("in a x 100") == ["a=x+x@100"]
    assert run.says("in a y 105") == ["a=y+x@105", "a=x+y@105", "a=y+y@105"]


def test_three_streams() -> None:  # J4
    app = every()
    a, b, c = (app.stream(topic, value=str) for topic in "abc")
    window = ms.join_window(10)
    a.join(b, text, window=window, result=str).join(c, text, window=window, result=str).to("out")
    assert Driven(app).says("a k 1 100", "b k 2 101", "c k 3 102", "a k 4 103") == ["k=1+2+3@102", "k=4+2+3@103"]


def test_joiners_may_see_the_key_and_headers_are_the_records_own() -> None:  # T8
    app = every()
    left, right = app.stream("L", value=str), app.stream("R", value=str)
    left.join(right, lambda k, v, w: f"{k}{v}{w}", window=ms.join_window(10), result=str).to("out")
    run = Driven(app)
    run.driver.pipe("L", "x", key="a", timestamp=1, headers=(("h", b"left"),))
    run.driver.pipe("R", "y", key="a", timestamp=1, headers=(("h", b"right"),))
    (record,) = run.driver.read("out")
    assert (record.value, record.headers) == ("axy", (("h", b"right"),))


def test_a_joiner_that_fails_ends_its_record() -> None:  # X15
    def joiner(left: str | None, right: str | None) -> str:
        if right == "bad":  # with a partner, and alone
            raise ValueError(right)
        return text(left, right)

    app = every()
    left, right = app.stream("L", value=str), app.stream("R", value=str)
    left.outer_join(right, joiner, window=ms.join_window(10), result=str).to("out")
    run = Driven(app, EngineSettings(on_error="skip"))
    assert run.says("L a x 1", "L a y 2", "R a bad 3", "R a ok 4") == ["a=x+ok@4", "a=y+ok@4"]
    assert run.driver.metrics.dropped == 1
    assert run.says("R c bad 5", "R d q 6", "L e m 30") == []  # c fails on its way out, and e m with it
    assert run.says("L e n 50") == ["d=null+q@6"]
    assert run.driver.metrics.dropped == 2


def test_marked_sides_go_through_topics_of_their_own() -> None:  # O4, N9
    app = every()
    left = app.stream("L", value=str).select_key(lambda v: v[0])
    right = app.stream("R", value=str).select_key(lambda v: v[0])
    left.join(right, text, window=ms.join_window(10), result=str, name="pair").to("out")
    assert list(app.topology().repartition_topics) == ["pair-left-repartition", "pair-right-repartition"]
    assert Driven(app).says("L - ax 1", "R - ay 2") == ["a=ax+ay@2"]


def test_a_marked_stream_with_itself_goes_through_one_topic() -> None:  # O4
    app = every()
    stream = app.stream("in", value=str).select_key(lambda v: v[0])
    stream.join(stream, text, window=ms.join_window(10), result=str).to("out")
    assert list(app.topology().repartition_topics) == ["KSTREAM-KEY-SELECT-0000000001-repartition"]
    assert Driven(app).says("in - ax 1") == ["a=ax+ax@1"]


def test_a_marked_stream_goes_to_all_its_joins_through_one_topic() -> None:  # O5, O6, N7
    app = every()
    left = app.stream("L", value=str).select_key(lambda v: v[0])
    right, table = app.stream("R", value=str), app.table("T", value=str)
    left.join(right, text, window=ms.join_window(10), result=str).to("out")
    left.left_join(right, text, window=ms.join_window(10), result=str).to("left")
    left.join(table, text, result=str).to("rows")
    topology = app.topology()
    assert list(topology.repartition_topics) == ["KSTREAM-KEY-SELECT-0000000001-repartition"]
    assert topology.nodes[-1].name == "KSTREAM-SINK-0000000028"
    run = Driven(app)
    run.pipe("T a t 0", "R a y 1")
    assert run.says("L - ax 2") == ["a=ax+y@2"]
    assert run.out("left") == ["a=ax+y@2"]
    assert run.out("rows") == ["a=ax+t@2"]


@pytest.mark.parametrize(("kind", "out"), [("inner", []), ("left", ["null=x+null@5"])])
def test_null_keys_before_the_repartition_topic(kind: str, out: list[str]) -> None:  # O6
    app = every()
    left = app.stream("L", value=str).select_key(lambda _v: no_key(), key=str)
    right = app.stream("R", value=str)
    join = left.join if kind == "inner" else left.left_join
    joined: ms.Stream[Any, str] = join(right, text, window=ms.join_window(10), result=str)
    joined.to("out")
    assert Driven(app).says("L k x 5") == out


def test_null_keys_pass_every_repartition_above_that_leads_straight_here() -> None:  # O6
    app = every()
    left = app.stream("L", value=str).select_key(lambda _v: no_key(), key=str)
    through = left.repartition(name="r").filter(lambda v: v != "no")
    through.join(app.stream("R", value=str), text, window=ms.join_window(10), result=str).to("inner")
    through.left_join(app.table("T", value=str), text, result=str).to("out")
    run = Driven(app)
    assert run.says("L k x 5", "L k no 6") == ["null=x+null@5"]
    assert run.out("inner") == []


def test_null_keys_pass_topics_further_above_too() -> None:  # O6
    """Whatever stands between: here a topic more, an aggregation, a look-up in a global table."""
    app = every()
    numbers = app.stream("L", value=str).repartition(name="far")
    numbers.peek(lambda v: None).to("seen")
    counts = numbers.group_by(lambda v: v, name="near").count().to_stream().map_values(str, value=str)
    counts.left_join(app.stream("R", value=str), text, window=ms.join_window(10), result=str).to("out")
    alone = app.stream("M", value=str).repartition(name="other")
    alone.left_join(app.global_table("G", value=str), text, key=lambda v: v, result=str).to("rows")
    run = Driven(app)
    run.pipe("L - x 5", "M - y 6")
    assert run.out("seen") == ["null=x@5"]
    assert run.out("rows") == ["null=y+null@6"]


def test_names_of_stores() -> None:  # N9
    def stores(kind: str, **options: Any) -> list[str]:
        return [store.name for store in program(kind, ms.join_window(1), **options).topology().stores]

    assert stores("inner") == ["KSTREAM-JOINTHIS-0000000004-store", "KSTREAM-JOINOTHER-0000000005-store"]
    assert stores("left")[1:] == ["KSTREAM-OUTEROTHER-0000000005-store", "KSTREAM-OUTERSHARED-0000000004-store"]
    assert stores("outer", store="s") == [
        "s-outer-this-join-store",
        "s-outer-other-join-store",
        "s-outer-shared-join-store",
    ]
    assert stores("left", store="s", name="n")[2] == "s-left-shared-join-store"


def test_topics_of_stores() -> None:  # N1
    app = program("left", ms.join_window(10, grace=5), store="s")
    topics = {topic.name: topic.config for topic in internal_topics(app.topology(), "app", {"L": 2, "R": 2}).topics}
    rows = topics["app-s-this-join-store-changelog"]
    assert (rows["cleanup.policy"], rows["retention.ms"]) == ("delete", str(25 + 86_400_000))
    assert topics["app-s-left-shared-join-store-changelog"]["cleanup.policy"] == "compact"


def test_both_sides_must_be_partitioned_alike() -> None:  # O8, Z6
    with pytest.raises(TopologyError, match="same number of partitions"):
        internal_topics(program("inner", ms.join_window(1)).topology(), "app", {"L": 2, "R": 3})


def test_changelogs() -> None:  # F4, F5, F17
    app = program("left", ms.join_window(10), store="s")
    run = Driven(app)
    run.pipe("L a x 100", "L a y 100")
    written: dict[str, list[Any]] = {str(batch.target): [] for batch in run.driver.changelog}
    for batch in run.driver.changelog:
        written[str(batch.target)] += [
            (key.hex(), None if value is None else value.hex(), at)
            for key, value, at in zip(batch.keys, batch.values, batch.timestamps, strict=True)
            if key is not None
        ]
    assert written["app-s-this-join-store-changelog-0"] == [
        ("61000000000000006400000001", "78", 100),
        ("61000000000000006400000002", "79", 100),
    ]
    assert written["app-s-left-shared-join-store-changelog-0"] == [
        ("00000000000000640161", "0100000001000000020178", 100),
        ("00000000000000640161", "010000000200000002017800000002" + "0179", 100),
    ]
    run.driver.changelog.clear()
    run.pipe("R a z 101")
    parked = [b for b in run.driver.changelog if "shared" in b.target.topic]
    assert [(list(b.values), list(b.timestamps)) for b in parked] == [([None], [101])]


@pytest.mark.parametrize("kind", ["inner", "left", "outer"])
def test_a_restored_join_goes_on(kind: str) -> None:  # X7
    plan = Plan(program(kind, ms.join_window(10)), {"L": 1, "R": 1, "out": 1})
    (spec,) = plan.resolved.tasks
    left, right = spec.inputs
    before, outbox = plan.only_task()
    before.add(batch_of(left, [Row(b"a", b"x", 100), Row(b"b", b"y", 101)]))
    before.caught_up(left, 2)
    before.caught_up(right, 0)
    assert before.process(max_rows=9, up_to_ms=None, wall_ms=0) == 2
    log = before.changelog()
    before.close()
    task = plan.task(spec, outbox)
    for batch in log:
        task.restore(batch.target, batch_of(batch.target, rows_of(batch)))
    task.start()
    task.add(batch_of(right, [Row(b"a", b"r", 105), Row(b"z", b"late", 80), Row(b"c", b"far", 150)]))
    task.caught_up(right, 3)
    task.caught_up(left, 0)
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=0) == 3
    alone = {"inner": [], "left": [(b"b", b"y+null")], "outer": [(b"z", b"null+late"), (b"b", b"y+null")]}[kind]
    out = [(row.key, row.value) for batch in outbox.drain() for row in rows_of(batch)]
    assert out == [(b"a", b"x+r"), *alone]
    task.close()


def refused(build: Any) -> str:
    with pytest.raises(TopologyError) as error:
        build()
    assert "test_stream_joins.py" in str(error.value)
    return str(error.value)


def test_what_is_refused() -> None:  # O8
    app = Program()
    left: Any = app.stream("L", value=str)
    right, window = app.stream("R", value=str), ms.join_window(10)
    assert "window=" in refused(lambda: left.join(right, text))
    assert "different apps" in refused(lambda: left.join(Program().stream("R", value=str), text, window=window))
    numbers = app.stream("N", key=int, value=str)
    assert "int64" in refused(lambda: left.join(numbers, text, window=window))
    assert "another stream" in refused(lambda: left.join(app.table("T", value=str), text, window=window))
    assert "select_key" in refused(lambda: left.join(right, text, window=window, key=len))
    assert "arguments" in refused(lambda: left.join(right, lambda a: a, window=window))


def test_windows_that_are_refused() -> None:
    assert "ends before it begins" in refused(lambda: ms.join_window(before=5, after=-6))
    assert "ends before it begins" in refused(lambda: ms.join_window(-1))
    assert "grace" in refused(lambda: ms.join_window(1, grace=-1))
    assert "either" in refused(lambda: ms.join_window())
    assert "either" in refused(lambda: ms.join_window("5s", before="1s"))
    assert "not a duration" in refused(lambda: ms.join_window("soon"))


def test_looks_are_throttled_where_an_interval_is_set() -> None:  # E9
    run = Driven(program("left", ms.join_window(10)), EngineSettings(emit_interval_ms=1000), wall_ms=5000)
    assert run.says("L a x 0", "L b x 20", "L c x 40") == []  # the first record looked, when nothing was there
    run.driver.advance_wall_clock(999)
    assert run.says("L d x 60") == []
    run.driver.advance_wall_clock(1)
    assert run.says("L e x 80") == ["a=x+null@0", "b=x+null@20", "c=x+null@40", "d=x+null@60"]
