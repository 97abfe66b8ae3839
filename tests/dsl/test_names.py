"""Names of operators, stores and topics, generated and given, are Kafka Streams' own (rules N1-N18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import millstream as ms
from millstream.plan.internal import internal_topics
from tests.driving import every

Stream = ms.Stream[str, str]
Build = Callable[[ms.App, Stream], object]


def nodes(build: Build) -> list[str]:
    """The names of the nodes that are added to a stream of the topic `in`, in order."""
    app = every()
    build(app, app.stream("in", value=str))
    return [node.name for node in app.topology().nodes[1:]]


def stores(build: Build) -> list[str]:
    app = every()
    build(app, app.stream("in", value=str))
    return [store.name for store in app.topology().stores]


def topics(build: Build) -> list[str]:
    app = every()
    build(app, app.stream("in", value=str))
    return list(app.topology().repartition_topics)


def numbered(*names: str) -> list[str]:
    """`SINK 7` for KSTREAM-SINK-0000000007; what has no number is meant as it stands."""
    made = []
    for name in names:
        kind, _, number = name.partition(" ")
        prefix = "" if kind.startswith(("KTABLE", "COGROUP")) else "KSTREAM-"
        made.append(f"{prefix}{kind}-{int(number):010d}" if number else name)
    return made


def same(value: str) -> str:
    return value


def both(left: Any, right: Any) -> str:
    return ""


WINDOW = ms.join_window(5)


# --- streams


def test_sources() -> None:  # N4, N5
    app = every()
    app.stream("a")
    app.stream("b", name="given")
    app.table("t")
    app.table("u", store="mine")
    app.global_table("g")
    app.stream("c")
    assert [node.name for node in app.topology().nodes] == numbered(
        "SOURCE 0", "given", "SOURCE 3", "KTABLE-SOURCE 4", "SOURCE 5", "KTABLE-SOURCE 6", "SOURCE 10"
    )
    (table,) = app.topology().global_tables
    assert (table.store.name, table.source, table.name) == (
        "g-STATE-STORE-0000000007",
        "KSTREAM-SOURCE-0000000008",
        "KTABLE-SOURCE-0000000009",
    )


def test_a_tables_store_has_its_name_from_the_beginning() -> None:  # N5
    """The index is taken when the table is made, the store when it is first needed."""
    assert stores(lambda app, s: s.filter(same).join(app.table("t"), both)) == ["t-STATE-STORE-0000000002"]


STATELESS: list[tuple[Build, str]] = [
    (lambda app, s: s.filter(same), "FILTER 1"),
    (lambda app, s: s.filter_not(same), "FILTER 1"),
    (lambda app, s: s.map(lambda k, v: (k, v)), "MAP 1"),
    (lambda app, s: s.map_values(same), "MAPVALUES 1"),
    (lambda app, s: s.flat_map(lambda k, v: []), "FLATMAP 1"),
    (lambda app, s: s.flat_map_values(list), "FLATMAPVALUES 1"),
    (lambda app, s: s.select_key(same), "KEY-SELECT 1"),
    (lambda app, s: s.peek(same), "PEEK 1"),
    (lambda app, s: s.foreach(same), "FOREACH 1"),
    (lambda app, s: s.to("out"), "SINK 1"),
]


@pytest.mark.parametrize(("build", "name"), STATELESS)
def test_stateless_operators(build: Build, name: str) -> None:  # N6
    assert nodes(build) == numbered(name)


@pytest.mark.parametrize(
    "build",
    [
        lambda app, s: s.filter(same, name="given"),
        lambda app, s: s.filter_not(same, name="given"),
        lambda app, s: s.map(lambda k, v: (k, v), name="given"),
        lambda app, s: s.map_values(same, name="given"),
        lambda app, s: s.flat_map(lambda k, v: [], name="given"),
        lambda app, s: s.flat_map_values(list, name="given"),
        lambda app, s: s.select_key(same, name="given"),
        lambda app, s: s.peek(same, name="given"),
        lambda app, s: s.merge(s, name="given"),
    ],
)
def test_a_given_name_burns_an_index(build: Callable[[ms.App, Stream], Stream]) -> None:  # N6
    assert nodes(lambda app, s: build(app, s).filter(same)) == numbered("given", "FILTER 2")


def test_repartition() -> None:  # N2, N7
    assert nodes(lambda app, s: s.repartition()) == numbered("FILTER 3", "SINK 2", "SOURCE 4")
    assert topics(lambda app, s: s.repartition()) == ["KSTREAM-REPARTITION-0000000001-repartition"]
    assert topics(lambda app, s: s.repartition(name="r")) == ["r-repartition"]
    assert nodes(lambda app, s: s.repartition(name="r").filter(same)) == numbered(
        "r-repartition-filter", "r-repartition-sink", "r-repartition-source", "FILTER 4"
    )


# --- aggregations


def test_count_and_aggregate() -> None:  # N8
    def counted(_app: ms.App, s: Stream) -> None:
        s.group_by_key().count()
        s.group_by_key().aggregate(initializer=int, aggregator=lambda v, n: n)
        s.group_by_key().reduce(both)

    assert nodes(counted) == numbered("AGGREGATE 3", "AGGREGATE 5", "REDUCE 7")
    assert stores(counted) == numbered("AGGREGATE-STATE-STORE 2", "AGGREGATE-STATE-STORE 4", "REDUCE-STATE-STORE 6")


def test_a_given_store_burns_no_index() -> None:  # N8
    assert nodes(lambda app, s: s.group_by_key().count(store="n")) == numbered("AGGREGATE 1")
    assert nodes(lambda app, s: s.group_by_key().count(store="n", name="c").to_stream()) == numbered(
        "c", "KTABLE-TOSTREAM 2"
    )


def test_an_aggregation_by_a_new_key() -> None:  # N8, N7
    def counted(_app: ms.App, s: Stream) -> None:
        s.group_by(same).count()

    assert nodes(counted) == numbered("KEY-SELECT 1", "FILTER 6", "SINK 5", "SOURCE 7", "AGGREGATE 4")
    assert topics(counted) == ["KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition"]
    assert topics(lambda app, s: s.group_by(same).count(store="n")) == ["n-repartition"]
    assert topics(lambda app, s: s.group_by(same, name="g").count(store="n")) == ["g-repartition"]


def test_cogroup() -> None:  # N15
    def cogrouped(app: ms.App, s: Stream, **given: str) -> None:
        other = app.stream("more", value=str).group_by(same, name="g")
        s.group_by_key().cogroup(both).cogroup(other, both).aggregate(str, **given)

    assert nodes(cogrouped)[2:] == numbered(
        "g-repartition-filter",
        "g-repartition-sink",
        "g-repartition-source",
        "COGROUPKSTREAM-AGGREGATE 7",
        "COGROUPKSTREAM-AGGREGATE 8",
        "COGROUPKSTREAM-MERGE 9",
    )
    assert stores(cogrouped) == ["COGROUPKSTREAM-AGGREGATE-STATE-STORE-0000000003"]
    assert nodes(lambda app, s: cogrouped(app, s, name="c"))[-3:] == [
        "c-cogroup-agg-0",
        "c-cogroup-agg-1",
        "c-cogroup-merge",
    ]


# --- joins


def test_stream_stream_joins() -> None:  # N9
    def joined(kind: str, **given: str) -> Build:
        return lambda app, s: getattr(s, kind)(app.stream("x", value=str), both, window=WINDOW, **given)

    assert nodes(joined("join"))[1:] == numbered("WINDOWED 2", "WINDOWED 3", "JOINTHIS 4", "JOINOTHER 5", "MERGE 6")
    assert stores(joined("left_join")) == [
        "KSTREAM-JOINTHIS-0000000004-store",
        "KSTREAM-OUTEROTHER-0000000005-store",
        "KSTREAM-OUTERSHARED-0000000004-store",
    ]
    assert stores(joined("outer_join", store="s")) == [
        "s-outer-this-join-store",
        "s-outer-other-join-store",
        "s-outer-shared-join-store",
    ]
    assert stores(joined("left_join", store="s"))[1:] == ["s-outer-other-join-store", "s-left-shared-join-store"]
    assert nodes(joined("join", name="j"))[1:] == [
        "j-this-windowed",
        "j-other-windowed",
        "j-this-join",
        "j-other-join",
        "j-merge",
    ]


def test_sides_with_new_keys() -> None:  # N9, N7
    def joined(**given: str) -> Build:
        return lambda app, s: s.select_key(same).join(
            app.stream("x", value=str).select_key(same), both, window=WINDOW, **given
        )

    assert topics(joined()) == [
        "KSTREAM-KEY-SELECT-0000000001-repartition",
        "KSTREAM-KEY-SELECT-0000000003-repartition",
    ]
    assert topics(joined(name="j")) == ["j-left-repartition", "j-right-repartition"]


def test_stream_table_joins() -> None:  # N10
    def joined(kind: str, **given: Any) -> Build:
        return lambda app, s: getattr(s, kind)(app.table("t", history="1h"), both, **given)

    assert nodes(joined("join"))[-1:] == numbered("JOIN 4")
    assert nodes(joined("left_join"))[-1:] == numbered("LEFTJOIN 4")
    assert nodes(joined("left_join", name="j"))[-1:] == ["j"]
    assert stores(joined("join", grace="1m"))[-1] == "KSTREAM-JOIN-0000000004-Buffer"
    assert stores(joined("join", grace="1m", name="j"))[-1] == "j-Buffer"


def test_a_stream_with_a_new_key_joined_with_a_table() -> None:  # N10, N7
    assert topics(lambda app, s: s.select_key(same).join(app.table("t"), both)) == [
        "KSTREAM-KEY-SELECT-0000000001-repartition"
    ]
    assert topics(lambda app, s: s.select_key(same).join(app.table("t"), both, name="j")) == ["j-repartition"]


def test_an_unnamed_join_goes_through_the_topic_of_the_join_before() -> None:  # N7; as KStreamImpl, seen in the oracle
    def joined(*names: str | None) -> Build:
        def build(app: ms.App, stream: Stream) -> None:
            table, moved = app.table("t"), stream.select_key(same)
            for name in names:
                moved.join(table, both, name=name)

        return build

    assert topics(joined("j", None)) == ["j-repartition"]
    assert topics(joined(None, None)) == ["KSTREAM-KEY-SELECT-0000000004-repartition"]
    assert topics(joined(None, "j", None)) == ["KSTREAM-KEY-SELECT-0000000004-repartition", "j-repartition"]


@pytest.mark.parametrize("kind", ["join", "left_join"])
def test_global_joins(kind: str) -> None:  # N10
    assert nodes(lambda app, s: getattr(s, kind)(app.global_table("g"), both, key=same)) == numbered("LEFTJOIN 4")


def test_table_table_joins() -> None:  # N11
    def joined(**given: str) -> Build:
        return lambda app, s: app.table("t").outer_join(app.table("u"), both, **given)

    assert nodes(joined())[-3:] == numbered("KTABLE-JOINTHIS 8", "KTABLE-JOINOTHER 9", "KTABLE-MERGE 7")
    assert nodes(joined(name="j"))[-3:] == ["j-join-this", "j-join-other", "j"]


def test_foreign_key_joins() -> None:  # N16
    def joined(**given: str) -> Build:
        return lambda app, s: app.table("t", value=str).join(app.table("u"), both, foreign_key=same, **given)

    prefix = "KTABLE-FK-JOIN-SUBSCRIPTION-"
    assert topics(joined()) == [f"{prefix}REGISTRATION-0000000007-topic", f"{prefix}RESPONSE-0000000015-topic"]
    assert nodes(joined())[4:] == numbered(
        f"{prefix}REGISTRATION 8",
        "KTABLE-SINK 9",
        "KTABLE-SOURCE 10",
        f"{prefix}PROCESSOR 12",
        f"{prefix}PROCESSOR 13",
        f"{prefix}PROCESSOR 14",
        "KTABLE-SINK 16",
        "KTABLE-SOURCE 17",
        f"{prefix}RESPONSE-RESOLVER-PROCESSOR 18",
        "KTABLE-FK-JOIN-OUTPUT 19",
    )
    assert topics(joined(name="n")) == ["n-subscription-registration-topic", "n-subscription-response-topic"]
    assert "n-subscription-store" in stores(joined(name="n"))
    assert nodes(joined(name="n"))[4:] == [
        "n-subscription-registration-processor",
        "n-subscription-registration-sink",
        "n-subscription-registration-source",
        "n-subscription-receive",
        "n-subscription-join-foreign",
        "n-foreign-join-subscription",
        "n-subscription-response-sink",
        "n-subscription-response-source",
        "n-subscription-response-resolver",
        "n-result",
    ]


# --- tables


def test_table_operators() -> None:  # N6
    def chained(app: ms.App, _s: Stream) -> None:
        app.table("t").filter(same).map_values(same).to_stream()

    assert nodes(chained)[2:] == numbered("KTABLE-FILTER 4", "KTABLE-MAPVALUES 5", "KTABLE-TOSTREAM 6")


def test_table_groups() -> None:  # N12
    def counted(app: ms.App, _s: Stream) -> None:
        app.table("t").group_by(lambda k, v: (k, v)).count()

    assert nodes(counted)[2:] == numbered("KTABLE-SELECT 4", "SINK 6", "SOURCE 7", "KTABLE-AGGREGATE 8")
    assert topics(counted) == ["KTABLE-AGGREGATE-STATE-STORE-0000000005-repartition"]
    assert topics(lambda app, s: app.table("t").group_by(lambda k, v: (k, v), name="g").count(store="n")) == [
        "g-repartition"
    ]
    assert nodes(lambda app, s: app.table("t").group_by(lambda k, v: (k, v)).reduce(both, both))[-1:] == numbered(
        "KTABLE-REDUCE 8"
    )


def test_to_table() -> None:  # N13
    def made(app: ms.App, s: Stream) -> None:
        s.to_table().filter(same, store="kept").group_by(lambda k, v: (k, v)).count(store="n")

    assert nodes(made)[:2] == numbered("TOTABLE 1", "KTABLE-FILTER 3")
    assert stores(lambda app, s: s.join(s.to_table(), both)) == ["KSTREAM-TOTABLE-STATE-STORE-0000000002"]
    assert topics(lambda app, s: s.select_key(same).to_table()) == ["KSTREAM-TOTABLE-0000000002-repartition"]
    assert topics(lambda app, s: s.select_key(same).to_table(name="n")) == ["n-repartition"]


def test_suppress() -> None:  # N14
    def suppressed(**given: str) -> Build:
        return lambda app, s: app.table("t").suppress(ms.until_time_limit(5), **given)

    assert nodes(suppressed())[-1:] == numbered("KTABLE-SUPPRESS 4")
    assert stores(suppressed())[-1] == "KTABLE-SUPPRESS-STATE-STORE-0000000005"
    assert (nodes(suppressed(name="n"))[-1], stores(suppressed(name="n"))[-1]) == ("n", "n-store")


# --- the whole


def test_sub_topologies_are_numbered_by_their_first_sources() -> None:  # N18
    app = every()
    second = app.stream("b", name="zz").group_by(same).count(store="n")
    app.stream("c", name="aa").to("out")
    second.to_stream().to("counts")
    assert [sub.source_topics for sub in app.topology().subtopologies] == [("b",), ("n-repartition",), ("c",)]


def test_a_shared_store_makes_one_sub_topology() -> None:  # N18
    app = every()
    app.stream("a", value=str).join(app.table("t"), both).to("out")
    assert [sub.source_topics for sub in app.topology().subtopologies] == [("a", "t")]


def test_a_topic_makes_two() -> None:  # N18
    app = every()
    app.stream("a").to("b")
    app.stream("b").to("c")
    assert [sub.source_topics for sub in app.topology().subtopologies] == [("a",), ("b",)]


def test_internal_topics_are_called_after_the_app() -> None:  # N1, N2
    app = every()
    app.stream("in", value=str).group_by(same, name="g").count(store="n")
    found = internal_topics(app.topology(), "shop", {"in": 1}).topics
    assert [topic.name for topic in found] == ["shop-g-repartition", "shop-n-changelog"]


# --- required names


def unnamed(build: Build) -> list[str]:
    app = ms.App("app", emit="every", require_names=True)
    build(app, app.stream("in", value=str))
    with pytest.raises(ms.TopologyError, match="require_names: these names are generated, and would change") as caught:
        app.topology()
    _, *lines = str(caught.value).splitlines()
    assert all("tests/dsl/test_names.py:" in line for line in lines)
    return [line.split(": the ")[1] for line in lines]


def test_unnamed_topics_are_refused_each_with_its_line() -> None:
    def program(app: ms.App, s: Stream) -> None:
        s.group_by(same).windowed_by(ms.tumbling(5)).count().suppress(ms.until_window_closes())
        s.left_join(app.stream("x", value=str).select_key(same), both, window=WINDOW)
        s.repartition()

    assert unnamed(program) == [
        "topic KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition; give name= of its group, or store=",
        "topic KSTREAM-KEY-SELECT-0000000011-repartition; give name=",
        "topic KSTREAM-REPARTITION-0000000020-repartition; give name=",
        "changelog of the store KSTREAM-AGGREGATE-STATE-STORE-0000000003; give store=",
        "changelog of the store KTABLE-SUPPRESS-STATE-STORE-0000000009; give name=",
        "changelog of the store KSTREAM-JOINTHIS-0000000017-store; give store=",
        "changelog of the store KSTREAM-OUTEROTHER-0000000018-store; give store=",
        "changelog of the store KSTREAM-OUTERSHARED-0000000017-store; give store=",
    ]


def test_a_tables_store_that_turned_out_to_be_needed() -> None:
    """The line is the table's: that is where its store is named."""

    def program(app: ms.App, s: Stream) -> None:
        table = app.table("t", value=str)
        s.join(table, both)
        table.join(app.table("u", store="u"), both, foreign_key=same)

    found = unnamed(program)
    assert "changelog of the store t-STATE-STORE-0000000001; give store=" in found
    assert [line for line in found if line.endswith("give name=")] == [
        "topic KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000007-topic; give name=",
        "topic KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000015-topic; give name=",
        "changelog of the store KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-0000000011; give name=",
    ]


def test_named_ones_pass_and_so_do_operators_without_a_name() -> None:
    app = ms.App("app", require_names=True)
    stream = app.stream("in-0000000001", value=str).filter(same)
    stream.group_by(same, name="g").count(store="n-0000000002").to_stream().to("out")
    stream.join(app.stream("x", value=str), both, window=WINDOW, store="j").to("out2")
    stream.left_join(app.global_table("g"), both, key=same).to("out3")
    assert len(app.topology().stores) == 3


def test_a_topic_that_serves_as_a_changelog_needs_no_other_name() -> None:
    app = ms.App("app", require_names=True, optimize="all")
    app.stream("in", value=str).join(app.table("t"), both).to("out")
    assert app.topology().stores[0].source_topic == "t"
