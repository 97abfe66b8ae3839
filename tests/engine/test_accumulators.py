"""Declared aggregates: results, merging of two (W16), restored ones, old values that stay (A2)."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.engine.accumulators import accumulator_for
from millstream.errors import TopologyError
from millstream.plan.aggregation import Column, Kind
from tests.driving import every
from tests.engine.tasks import Plan, Row, batch_of, rows_of

BOUNDS = (2, 5, 9)
KINDS: list[tuple[Kind, Any]] = [
    ("sum", None),
    ("mean", None),
    ("min", None),
    ("max", None),
    ("first", None),
    ("last", None),
    ("variance", None),
    ("std", None),
    ("collect_list", None),
    ("collect_set", None),
    ("count_distinct", None),
    ("top", 3),
    ("histogram", BOUNDS),
]


def expected(kind: Kind, given_values: list[int | None]) -> Any:
    values = [value for value in given_values if value is not None]
    match kind:
        case "sum":
            return sum(values)
        case "mean":
            return statistics.fmean(values) if values else None
        case "min" | "max":
            return (min if kind == "min" else max)(values, default=None)
        case "first" | "last":
            return values[0 if kind == "first" else -1] if values else None
        case "variance":
            return statistics.variance(values) if len(values) > 1 else None
        case "std":
            return statistics.stdev(values) if len(values) > 1 else None
        case "collect_list":
            return values
        case "collect_set":
            return list(dict.fromkeys(values))
        case "count_distinct":
            return len(set(values))
        case "top":
            return sorted(values, reverse=True)[:3]
        case "histogram":
            places = [bisect_right(BOUNDS, value) for value in values]
            return [places.count(place) for place in range(len(BOUNDS) + 1)]
        case _:
            raise AssertionError(kind)


VALUES = st.lists(st.none() | st.integers(-5, 12), max_size=20)


@pytest.mark.parametrize(("kind", "setting"), KINDS)
@given(first=VALUES, then=VALUES)
def test_results_and_merges(kind: Kind, setting: Any, first: list[int | None], then: list[int | None]) -> None:  # W16
    accumulator = accumulator_for(Column("c", kind, "n", setting))

    def aggregate(values: list[int | None]) -> list[Any]:
        slots: list[Any] = ["another's", *accumulator.begin]
        for value in values:
            before = list(slots)
            kept = msgspec.msgpack.encode(before)
            accumulator.step(slots, 1, value)
            assert msgspec.msgpack.encode(before) == kept  # nothing is changed in place
        return slots

    one, other = aggregate(first), aggregate(then)
    assert accumulator.result(one, 1) == pytest.approx(expected(kind, first))
    accumulator.merge(one, 1, other)
    assert accumulator.result(one, 1) == pytest.approx(expected(kind, first + then))
    assert accumulator.result(other, 1) == pytest.approx(expected(kind, then))


class Reading(ms.Record):
    n: int | None
    tag: str = ""


class Summary(ms.Record):
    spread: float | None
    deviation: float | None
    every: list[int]
    tags: list[str]
    different: int
    best: list[int]
    buckets: list[int]


def summarised(group: ms.GroupedStream[Any, Reading], store: str) -> ms.Table[Any, Summary]:
    return group.aggregate(
        Summary,
        spread=ms.variance("n"),
        deviation=ms.std(lambda r: r.n),
        every=ms.collect_list("n"),
        tags=ms.collect_set("tag"),
        different=ms.count_distinct("tag"),
        best=ms.top("n", 2),
        buckets=ms.histogram("n", [3, 6]),
        store=store,
    )


READINGS = [(1, "a"), (7, "b"), (None, "a"), (4, "c")]
WHOLE = Summary(9.0, 3.0, [1, 7, 4], ["a", "b", "c"], 3, [7, 4], [1, 1, 1])


def rows(first: int, last: int) -> list[Row]:
    made = [Row(b"k", msgspec.json.encode(Reading(n, tag)), at) for at, (n, tag) in enumerate(READINGS)]
    return made[first:last]


@pytest.mark.parametrize("windows", [None, ms.tumbling(100), ms.session(100)])
def test_restored_aggregates_go_on(windows: Any) -> None:  # X7, F1, F2, F3
    app = every()
    group: ms.GroupedStream[Any, Reading] = app.stream("in", value=Reading).group_by_key()
    table = summarised(group if windows is None else group.windowed_by(windows), "s")
    table.to_stream().to("out")
    plan = Plan(app, {"in": 1, "out": 1})
    (spec,) = plan.resolved.tasks
    (source,) = spec.inputs
    before, outbox = plan.only_task()
    before.add(batch_of(source, rows(0, 2)))
    before.caught_up(source, 2)
    assert before.process(max_rows=9, up_to_ms=None, wall_ms=0) == 2
    log = before.changelog()
    before.close()
    task = plan.task(spec, outbox)
    for batch in log:
        task.restore(batch.target, batch_of(batch.target, rows_of(batch)))
    task.start()
    task.add(batch_of(source, rows(2, 4), 2))
    task.caught_up(source, 4)
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=0) == 2
    values = [row.value for batch in outbox.drain() for row in rows_of(batch) if row.value is not None]
    assert msgspec.json.decode(values[-1], type=Summary) == WHOLE
    task.close()


def test_settings_that_are_refused() -> None:
    with pytest.raises(TopologyError, match=r"test_accumulators\.py.*1 or more, got 0"):
        ms.top("n", 0)
    for bounds in ([], [3, 3], [5, 1]):
        with pytest.raises(TopologyError, match=r"test_accumulators\.py.*ascending"):
            ms.histogram("n", bounds)
