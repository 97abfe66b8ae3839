"""How input is cut into rounds changes nothing: random programs and records, replayed under random cuts."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from millstream.engine import EngineSettings
from millstream.model import TopicPartition
from millstream.plan.internal import TaskSpec
from tests.engine.programs import (
    INNER_STREAM_JOINS,
    JOINS,
    KEEPING,
    OUTER_STREAM_JOINS,
    SHAPES,
    STATEFUL,
    STATELESS,
    TABLES,
    VERSIONED_JOINS,
    VERSIONS,
    WINDOWS,
    build,
    recipes,
    records,
    spread,
)
from tests.engine.replay import Replay
from tests.engine.tasks import Inputs, Log, Outcome, Plan, Rows, one_record_rounds

SETTINGS = EngineSettings(
    on_decode_error="skip", on_error="skip", on_send_error="skip", dead_letters="dlq", wait_for_inputs_ms=0
)
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

Topics = dict[str, Rows]
Recipe = list[tuple[str, int]]


def topics_of(random: Random, size: int) -> Topics:
    return {topic: records(random, random.randint(0, size)) for topic in ("a", "b", "t", "g")}


def plan_of(recipe: Recipe, topics: Topics, partitions: int, emit: str = "every", optimize: str = "none") -> Plan:
    outputs = dict.fromkeys(("out0", "out1", "windows", "dlq"), 2)
    counts = dict.fromkeys(("a", "b", "t"), partitions) | {"g": 1} | outputs
    plan = Plan(build(recipe, emit, optimize), counts, settings=SETTINGS)
    plan.global_rows = {"g": [row for row in topics["g"] if row.value != b"{broken"]}
    return plan


def inputs_of_all_tasks(plan: Plan, topics: Topics) -> list[tuple[TaskSpec, Inputs]]:
    """Each task's input, found by running the program in one-record rounds, upstream tasks first."""
    known: Inputs = {
        TopicPartition(topic, number): part
        for topic in ("a", "b", "t")
        for number, part in enumerate(spread(topics[topic], plan.counts[topic]))
    }
    waiting = list(plan.resolved.tasks)
    found: list[tuple[TaskSpec, Inputs]] = []
    while waiting:
        unfed = {topic for spec in waiting for topic in plan.written_by(spec)}
        spec = next((spec for spec in waiting if not plan.feeds(spec) & unfed), None)
        assume(spec is not None)  # a program whose sub-topologies feed one another is driven as a whole elsewhere
        assert spec is not None
        waiting.remove(spec)
        inputs = {source: known.get(source, []) for source in spec.inputs}
        found.append((spec, inputs))
        for target, rows in one_record_rounds(plan, spec, inputs).outputs.written.items():
            known.setdefault(target, []).extend(rows)
    return found


def told(outcome: Outcome) -> dict[TopicPartition, Any]:
    """What was put out; dead letters without their stack traces, and by the partition that they are from.

    A record that cannot be decoded is refused when it comes to the head of its partition, so which of two partitions'
    is refused first is a matter of which arrived first, as in Kafka Streams (rule T1).
    """
    return {
        target: by_origin(rows) if target.topic == "dlq" else rows for target, rows in outcome.outputs.written.items()
    }


def by_origin(dead: Rows) -> dict[tuple[Any, Any], Rows]:
    found: dict[tuple[Any, Any], Rows] = {}
    for row in dead:
        headers = dict(row.headers)
        origin = headers["__streams.errors.topic"], headers["__streams.errors.partition"]
        kept = tuple(header for header in row.headers if not header[0].endswith("stacktrace"))
        found.setdefault(origin, []).append(row._replace(headers=kept))
    return found


def contents(plan: Plan, spec: TaskSpec, changelog: Log) -> dict[TopicPartition, dict[bytes | None, bytes | None]]:
    """Each key's last value in each changelog, without the deleted ones."""
    rows = changelog.compacted()
    return {
        target: {row.key: row.value for row in rows.get(target, []) if row.value is not None}
        for target in spec.changelogs
    }


ALL = recipes(
    *STATELESS,
    *STATEFUL,
    *KEEPING,
    *VERSIONS,
    *WINDOWS,
    *JOINS,
    *TABLES,
    *VERSIONED_JOINS,
    *INNER_STREAM_JOINS,
    *OUTER_STREAM_JOINS,
    *SHAPES,
)


@QUICK
@example([("join", 1)], 13, 1, 4300, "none")  # two partitions that begin with a record that cannot be decoded
@given(ALL, st.integers(0, 40), st.integers(1, 3), st.integers(0, 2**32), st.sampled_from(("none", "all")))
def test_cuts_change_no_byte(recipe: Recipe, size: int, partitions: int, seed: int, optimize: str) -> None:
    check_cuts(recipe, size, partitions, seed, optimize)


@pytest.mark.nightly
@settings(QUICK, max_examples=2_000)
@given(ALL, st.integers(0, 40), st.integers(1, 3), st.integers(0, 2**32), st.sampled_from(("none", "all")))
def test_cuts_change_no_byte_at_length(recipe: Recipe, size: int, partitions: int, seed: int, optimize: str) -> None:
    check_cuts(recipe, size, partitions, seed, optimize)


def check_cuts(recipe: Recipe, size: int, partitions: int, seed: int, optimize: str) -> None:
    random = Random(seed)
    topics = topics_of(random, size)
    plan = plan_of(recipe, topics, partitions, optimize=optimize)
    for spec, inputs in inputs_of_all_tasks(plan, topics):
        whole = one_record_rounds(plan, spec, inputs)
        cut = Replay(plan, spec, inputs, random).run()
        assert told(cut) == told(whole)
        assert cut.counted == whole.counted
        assert contents(plan, spec, cut.changelog) == contents(plan, spec, whole.changelog)


# Stream-time punctuations begin anew after a restart (P3), and so does what decides when a row without a partner goes
# on alone (J9); programs with them are left out here.
RESTORABLE = recipes(
    *STATELESS,
    *(kind for kind in STATEFUL if kind != "punctuate"),
    *KEEPING,
    *WINDOWS,
    *JOINS,
    *TABLES,
    *INNER_STREAM_JOINS,
    *SHAPES,
)


@QUICK
@given(RESTORABLE, st.integers(0, 40), st.integers(1, 2), st.integers(0, 2**32))
def test_the_changelog_is_the_state(recipe: Recipe, size: int, partitions: int, seed: int) -> None:
    random = Random(seed)
    topics = topics_of(random, size)
    plan = plan_of(recipe, topics, partitions)
    for spec, inputs in inputs_of_all_tasks(plan, topics):
        whole = one_record_rounds(plan, spec, inputs)
        cut = Replay(plan, spec, inputs, random).run(restarts=True)
        dead = {target for target in whole.outputs.written if target.topic == "dlq"}
        for target in (whole.outputs.written.keys() | cut.outputs.written.keys()) - dead:
            assert cut.outputs.written.get(target) == whole.outputs.written.get(target)
        assert contents(plan, spec, cut.changelog) == contents(plan, spec, whole.changelog)


def last_values(outcome: Outcome) -> dict[Any, bytes]:
    """Null keys aside, whose records lie in any partition; and without deletes: one of a row that was never passed on
    may be missing (E4).
    """
    last = {(target, row.key): row.value for target, rows in outcome.outputs.written.items() for row in rows if row.key}
    return {key: value for key, value in last.items() if value is not None}


@pytest.mark.parametrize("kind", ["count", "reduce", "fold", "declare", "tumble", "hop"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(size=st.integers(0, 40), seed=st.integers(0, 2**32))
def test_the_latest_of_a_round_ends_with_the_same_value(kind: str, size: int, seed: int) -> None:  # E4, E5
    """Each key's last value is the same for any cut, and the same as that of every update."""
    recipe = [(kind, 0)]
    random = Random(seed)
    topics = topics_of(random, size)
    every, latest = plan_of(recipe, topics, 1), plan_of(recipe, topics, 1, "latest")
    for spec, inputs in inputs_of_all_tasks(every, topics):
        each = last_values(one_record_rounds(every, spec, inputs))
        cut = last_values(Replay(latest, spec, inputs, random).run())
        assert cut == each
