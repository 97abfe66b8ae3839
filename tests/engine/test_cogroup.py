"""Groups of several streams aggregated together (A5, N15, O4, O8)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.errors import TopologyError
from millstream.plan.internal import internal_topics
from tests.driving import Driven, every, latest
from tests.engine.tasks import Plan, Row, batch_of, rows_of


def plus(value: str, total: str) -> str:
    return f"{total}+{value}"


def minus(value: str, total: str) -> str:
    return f"{total}-{value}"


def cogrouped(app: ms.App) -> ms.CogroupedStream[str, str]:
    a, b = app.stream("a", value=str), app.stream("b", value=str)
    return a.group_by_key().cogroup(plus).cogroup(b.group_by_key(), minus)


def test_each_input_has_its_aggregator() -> None:  # A5
    app = every()
    cogrouped(app).aggregate(lambda: "", value=str, store="s").to_stream().to("out")
    run = Driven(app)
    assert run.says("a k x 10") == ["k=+x@10"]
    assert run.says("b k y 5", "b k - 20", "a - z 20") == ["k=+x-y@10"]
    assert run.says("a k w 30") == ["k=+x-y+w@30"]


def test_none_deletes_and_begins_afresh() -> None:  # A3, A5
    app = every()
    a, b = app.stream("a", value=str), app.stream("b", value=str)
    first = a.group_by_key().cogroup(plus)
    table = first.cogroup(b.group_by_key(), lambda _value, _total: None).aggregate(lambda: "0", value=str)
    table.to_stream().to("out")
    assert Driven(app).says("a k x 1", "b k y 2", "a k z 3") == ["k=0+x@1", "k=null@2", "k=0+z@3"]


def test_windows() -> None:  # A5, W3
    app = every()
    windowed = cogrouped(app).windowed_by(ms.tumbling(10, grace=5))
    windowed.aggregate(lambda: "", value=str).to_stream().to("out")
    run = Driven(app)
    assert run.says("a k x 1", "b k y 9", "b k z 12") == ["k[0,10]=+x@1", "k[0,10]=+x-y@9", "k[10,20]=-z@12"]


def test_sessions() -> None:  # A5, W12
    app = every()
    windowed = cogrouped(app).windowed_by(ms.session(5, grace=10))
    windowed.aggregate(lambda: "", merger=lambda one, two: one + two, value=str).to_stream().to("out")
    run = Driven(app)
    assert run.says("a k x 1", "b k y 4")[-1] == "k[1,4]=+x-y@4"


def test_the_latest_of_a_round_is_that_of_all_inputs() -> None:  # E3, E4
    app = latest()
    cogrouped(app).aggregate(lambda: "", value=str).to_stream().to("out")
    plan = Plan(app, {"a": 1, "b": 1, "out": 1})
    task, outbox = plan.only_task()
    a, b = task.inputs
    task.add(batch_of(a, [Row(b"k", b"x", 2)]))
    task.add(batch_of(b, [Row(b"k", b"y", 1), Row(b"k", b"z", 3)]))
    task.caught_up(a, 1)
    task.caught_up(b, 2)
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=0) == 3
    task.end_round()
    assert [row.value for batch in outbox.drain() for row in rows_of(batch)] == [b"-y+x-z"]
    task.close()


def test_a_row_that_comes_and_goes_in_a_round_is_not_told() -> None:  # E4
    app = latest()
    a, b = app.stream("a", value=str), app.stream("b", value=str)
    first = a.group_by_key().cogroup(plus)
    first.cogroup(b.group_by_key(), lambda _v, _t: None).aggregate(lambda: "", value=str).to_stream().to("out")
    plan = Plan(app, {"a": 1, "b": 1, "out": 1})
    task, outbox = plan.only_task()
    for source, timestamp in zip(task.inputs, (1, 2), strict=True):
        task.add(batch_of(source, [Row(b"k", b"x", timestamp)]))
        task.caught_up(source, 1)
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=0) == 2
    task.end_round()
    assert outbox.drain() == []
    task.close()


def test_a_table_like_any_other() -> None:  # K3, K12, J14
    app = every()
    a, b = app.stream("a", value=int), app.stream("b", value=int)
    first = a.group_by_key().cogroup(lambda n, total: total + n)
    totals = first.cogroup(b.group_by_key(), lambda n, total: total - n).aggregate(lambda: 0, value=int)
    by_first = totals.group_by(lambda k, v: (k[0], v), key=str, value=int)
    by_first.reduce(lambda x, y: x + y, lambda x, y: x - y).to_stream().to("sums")
    app.stream("q", value=str).join(totals, lambda v, total: f"{v}{total}", result=str).to("out")
    run = Driven(app)
    for topic, key, value, at in (("a", "k1", 5, 1), ("b", "k2", 3, 2), ("a", "k1", 1, 3)):
        run.driver.pipe(topic, value, key=key, timestamp=at)
    assert run.out("sums")[-1] == "k=3@3"
    assert run.says("q k2 is 9") == ["k2=is-3@9"]


def test_names_and_topics() -> None:  # N15, O4
    app = every()
    a = app.stream("a", value=str)
    b = app.stream("b", value=str).group_by(lambda v: v, name="by-value")
    a.group_by_key().cogroup(plus).cogroup(b, minus).aggregate(lambda: "", value=str, name="n", store="s")
    topology = app.topology()
    assert list(topology.repartition_topics) == ["by-value-repartition"]
    assert [node.name for node in topology.nodes][-3:] == ["n-cogroup-agg-0", "n-cogroup-agg-1", "n-cogroup-merge"]
    assert [store.name for store in topology.stores] == ["s"]


def test_inputs_must_be_partitioned_alike() -> None:  # O8
    app = every()
    cogrouped(app).aggregate(lambda: "", value=str)
    with pytest.raises(TopologyError, match="same number of partitions"):
        internal_topics(app.topology(), "app", {"a": 1, "b": 2})


def refused(build: Any) -> str:
    with pytest.raises(TopologyError) as error:
        build()
    assert "test_cogroup.py" in str(error.value)
    return str(error.value)


def test_what_is_refused() -> None:
    app = every()
    group: Any = app.stream("a", value=str).group_by_key()
    numbered = app.stream("n", key=int, value=str).group_by_key()
    other = every().stream("b", value=str).group_by_key()
    assert "int64" in refused(lambda: group.cogroup(plus).cogroup(numbered, plus))
    assert "different apps" in refused(lambda: group.cogroup(plus).cogroup(other, plus))
    assert "grouped stream" in refused(lambda: group.cogroup(plus).cogroup(app.stream("c"), plus))
    sessions = group.cogroup(plus).windowed_by(ms.session(5))
    assert "merger=" in refused(lambda: sessions.aggregate(lambda: "", value=str))
    assert "arguments" in refused(lambda: group.cogroup(lambda v: v).aggregate(lambda: "", value=str))
