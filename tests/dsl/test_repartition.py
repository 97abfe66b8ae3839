"""Where repartition topics stand, and what they are called (rules O4, O5, N7, N8, N15)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.plan.describe import describe
from tests.driving import Driven, every


def topics(app: ms.App) -> list[str]:
    return list(app.topology().repartition_topics)


def test_aggregations_of_a_named_group_share_its_topic() -> None:  # O5
    app = every()
    group = app.stream("in", value=str).group_by(lambda v: v[:1], name="letter")
    group.count(store="counts").to_stream().to("counts")
    group.windowed_by(ms.tumbling(10)).count(store="windows").to_stream().to("windows")
    assert topics(app) == ["letter-repartition"]
    driven = Driven(app)
    driven.pipe("in k ab 1", "in l ac 2")
    assert driven.out("counts") == ["a=1@1", "a=2@2"]
    assert driven.out("windows") == ["a[0,10]=1@1", "a[0,10]=2@2"]


def test_aggregations_of_an_unnamed_group_have_one_each() -> None:  # O5
    app = every()
    group = app.stream("in", value=str).group_by(lambda v: v[:1])
    group.count(store="one")
    group.count(store="two")
    assert topics(app) == ["one-repartition", "two-repartition"]


def test_two_groups_of_one_name_are_refused() -> None:
    app = every()
    keyed = app.stream("in", value=str).select_key(lambda v: v)
    keyed.group_by_key(name="g").count()
    with pytest.raises(
        ms.TopologyError, match=r"count at .*: there is already an internal topic named 'g-repartition'"
    ):
        keyed.group_by_key(name="g").count()


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda s: s.group_by(lambda v: v, name="g").count(), "g"),
        (lambda s: s.group_by(lambda v: v).count(), "KSTREAM-KEY-SELECT-0000000001"),
        (lambda s: s.to_table().group_by(lambda k, v: (v, v), name="g").count(), "g"),
        (lambda s: s.to_table().group_by(lambda k, v: (v, v)).count(), "KTABLE-SELECT-0000000003"),
    ],
)
def test_a_groups_name_is_that_of_the_node_that_selects(build: Any, name: str) -> None:  # N8, N12
    app = every()
    build(app.stream("in", value=str))
    assert f"Processor: {name} (stores: [])" in describe(app.topology())


def test_a_repartition_of_a_named_node_is_named_after_it() -> None:  # N7
    app = every()
    app.stream("in", value=str).select_key(lambda v: v, name="by-value").join(app.table("t"), lambda v, row: v).to(
        "out"
    )
    for kind in ("filter", "sink", "source"):
        assert f": by-value-repartition-{kind} " in describe(app.topology())


def cogrouped(app: ms.App, *names: str | None) -> Any:
    put, draw = (
        app.stream(topic, value=int).group_by(lambda v: str(v % 2), name=name)
        for topic, name in zip(("paid", "drawn"), names, strict=True)
    )
    both = put.cogroup(lambda v, total: total + v).cogroup(draw, lambda v, total: total - v)
    return both.aggregate(lambda: 0, value=int, store="balances")


def test_cogrouped_streams_with_new_keys_are_told_apart_by_name() -> None:  # N15
    with pytest.raises(ms.TopologyError, match=r"aggregate at .*: 2 of the cogrouped streams have new keys and need"):
        cogrouped(every(), None, None)


def test_one_of_them_may_take_the_stores_name() -> None:  # N15
    app = every()
    cogrouped(app, None, "draw").to_stream().to("out")
    assert topics(app) == ["balances-repartition", "draw-repartition"]
    driven = Driven(app)
    assert [*piped(driven, "paid", 5, 1), *piped(driven, "drawn", 3, 2)] == ["1=5@1", "1=2@2"]


def piped(driven: Driven, topic: str, value: int, timestamp: int) -> list[str]:
    driven.driver.pipe(topic, value, key="k", timestamp=timestamp)
    return driven.out()
