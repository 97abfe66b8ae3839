"""Optimisations: names, topics and sub-topologies are Kafka Streams' own, and answers are those of the plain plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.errors import ConfigError
from millstream.plan.describe import describe
from millstream.plan.fingerprint import fingerprint
from millstream.plan.internal import internal_topics
from millstream.plan.rewrites import ALL
from tests.conformance.program import build
from tests.driving import Driven
from tests.tasks import Tasks

# topologies, and what Kafka Streams 4.3.1 says of them in `describe()` under their `topology.optimization`
CASES = json.loads(Path(__file__).with_name("optimised.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_described_as_kafka_streams_does(case: dict[str, Any]) -> None:  # O5, J11, N18
    got = describe(build(case).topology()).rstrip("\n").split("\n")
    assert got == case["description"]


def app(optimize: Any, program: Callable[[ms.App], object]) -> ms.App:
    made = ms.App("app", emit="every", optimize=optimize)
    program(made)
    return made


def topics(made: ms.App, **counts: int) -> list[str]:
    return [topic.name for topic in internal_topics(made.topology(), "app", counts).topics]


def two_counts(made: ms.App) -> None:
    keyed = made.stream("in", value=str).select_key(lambda v: v[:1])
    keyed.group_by_key().count(store="first").to_stream().to("first")
    keyed.filter(lambda v: len(v) > 1).group_by_key().count(store="second").to_stream().to("second")


def test_one_topic_for_both() -> None:  # O5
    names = ["app-first-repartition", "app-second-repartition", "app-first-changelog", "app-second-changelog"]
    assert topics(app("none", two_counts), **{"in": 2}) == names
    names.remove("app-second-repartition")
    assert topics(app("all", two_counts), **{"in": 2}) == names


WORDS = st.lists(st.text("abc", min_size=1, max_size=3), max_size=20)


def table_of(tasks: Tasks, topic: str) -> dict[bytes | None, bytes | None]:
    return {row.key: row.value for row in tasks.read(topic)}


PROGRAMS: dict[str, Callable[[ms.App], object]] = {}


def program(build: Callable[[ms.App], object]) -> Callable[[ms.App], object]:
    PROGRAMS[build.__name__] = build
    return build


program(two_counts)


@program
def merged_streams(made: ms.App) -> None:
    """Two changes of the key, and a topic for one of them alone: nothing goes round the other's."""
    one = made.stream("in", value=str).select_key(lambda v: v[:1])
    other = made.stream("more", value=str).map(lambda k, v: (v[-1:], v), value=str)
    one.merge(other).group_by_key().count(store="first").to_stream().to("first")
    one.group_by_key().count(store="second").to_stream().to("second")


@program
def a_processor_between(made: ms.App) -> None:
    """It may change the key: the topic stays behind it."""

    def turned(record: ms.Message) -> Any:
        yield record.with_key(record.value[-1:])

    keyed = made.stream("in", value=str).select_key(lambda v: v[:1])
    keyed.process(turned, key=str, value=str).group_by_key().count(store="first").to_stream().to("first")
    keyed.group_by_key().count(store="second").to_stream().to("second")


@program
def a_type_that_changes_behind_a_lookup(made: ms.App) -> None:
    """Records go through the merged topic as they are where the key was changed."""
    table = made.global_table("rows", value=int)
    keyed = made.stream("in", value=str).select_key(lambda v: v[:1])
    lengths = keyed.left_join(table, lambda v, row: len(v), key=lambda v: v, result=int)
    lengths.group_by_key().reduce(lambda a, b: a + b, store="first").to_stream().to("first")
    keyed.group_by_key().count(store="second").to_stream().to("second")


@program
def branches(made: ms.App) -> None:
    """Both branches go through one topic, together with the split itself; Kafka Streams fails to build this."""
    parts = made.stream("in", value=str).select_key(lambda v: v[:1]).split().branch(lambda v: len(v) > 1, name="long")
    for name, part in zip(("first", "second"), parts.default_branch(name="short").values(), strict=True):
        part.group_by_key().count(store=name).to_stream().to(name)


def test_branches_share_a_topic() -> None:  # O5
    names = topics(app("all", branches), **{"in": 2})
    assert [name for name in names if name.endswith("-repartition")] == ["app-first-repartition"]


@pytest.mark.parametrize("name", PROGRAMS)
@given(WORDS, WORDS)
def test_the_same_answers_on_several_partitions(name: str, words: list[str], more: list[str]) -> None:
    made = {}
    for optimize in ("none", "all"):
        tasks = Tasks(
            app(optimize, PROGRAMS[name]).topology(), {"in": 3, "more": 2, "first": 2, "second": 2, "rows": 1}
        )
        for topic, texts in (("in", words), ("more", more)):
            for number, word in enumerate(texts):
                tasks.put(topic, number % 2, (b"%d" % number, word.encode(), number))
        tasks.run()
        made[optimize] = [table_of(tasks, topic) for topic in ("first", "second")]
    assert made["all"] == made["none"]


# --- a table's own topic as its changelog


def joined(made: ms.App) -> None:
    table = made.table("rows", value=str, store="rows")
    made.stream("in", value=str).join(table, lambda v, row: v + row).to("out")


def test_a_tables_topic_serves_as_its_changelog() -> None:  # K2
    counts = {"in": 2, "rows": 2}
    assert topics(app("none", joined), **counts) == ["app-rows-changelog"]
    assert topics(app("reuse.ktable.source.topics", joined), **counts) == []
    (task, _) = internal_topics(app("all", joined).topology(), "app", counts).tasks
    assert {str(source): store for source, store in task.reused.items()} == {"rows-0": "rows"}


def test_a_stream_made_a_table_keeps_its_changelog() -> None:
    """What a stream's topic holds need not be what the table got."""
    made = app("all", lambda made: made.stream("in", value=str).to_table(store="rows").to_stream().to("out"))
    assert topics(made, **{"in": 1}) == ["app-rows-changelog"]


def test_nothing_is_written_of_it() -> None:
    driven = Driven(app("all", joined))
    assert driven.says("rows a x 1", "in a y 2") == ["a=yx@2"]
    assert driven.driver.changelog == []


# --- what is given


@pytest.mark.parametrize("given", ["some", ["all"], "merge.repartition.topics,", 3])
def test_what_optimize_does_not_take(given: Any) -> None:
    with pytest.raises(ConfigError, match=r'optimize=.*: give "all", "none", or some of reuse.ktable.source.topics, '):
        ms.App("app", optimize=given)


@pytest.mark.parametrize("given", [None, False, "none", []])
def test_no_optimisation(given: Any) -> None:
    assert fingerprint(app(given, two_counts).topology()) == fingerprint(app("none", two_counts).topology())


@pytest.mark.parametrize("given", [True, "all", sorted(ALL), ",".join(sorted(ALL))])
def test_all_of_them(given: Any) -> None:
    assert fingerprint(app(given, two_counts).topology()) == fingerprint(app("all", two_counts).topology())


@pytest.mark.parametrize("program", [two_counts, joined])
def test_another_optimisation_is_another_plan(program: Callable[[ms.App], object]) -> None:
    """Its tasks are others, or are restored from elsewhere: workers must agree."""
    assert fingerprint(app("none", program).topology()) != fingerprint(app("all", program).topology())


def test_it_may_be_configured_later() -> None:
    made = app("none", two_counts)
    made.configure(optimize="all")
    assert len(made.topology().repartition_topics) == 1
