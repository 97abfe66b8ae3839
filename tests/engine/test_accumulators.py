"""Declared aggregates: results, merging of two (W16), restored ones, old values that stay (A2)."""

from __future__ import annotations

import datetime
import statistics
from bisect import bisect_right
from decimal import Decimal
from typing import Any, cast, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.dsl.aggregation import BALANCED_KINDS
from millstream.engine.accumulators import ACCUMULATORS, BALANCED
from millstream.engine.generated import DeclaredFunctions, declared_functions
from millstream.errors import TopologyError
from millstream.plan.aggregation import Column, Declared, Kind
from millstream.plan.function import user_function
from millstream.plan.site import CallSite
from tests.driving import every
from tests.engine.tasks import Plan, Row, batch_of, rows_of

BOUNDS = (2, 5, 9)
SITE = CallSite("aggregate", "here", 1)
KINDS: list[tuple[Kind, Any]] = [
    ("sum", None),
    ("mean", None),
    ("min", None),
    ("max", None),
    ("first", None),
    ("last", None),
    ("earliest", None),
    ("latest", None),
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
        case "first" | "last" | "earliest" | "latest":
            return values[0 if kind in ("first", "earliest") else -1] if values else None
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


class Row1(ms.Record):
    n: Any


def functions(kind: Kind, setting: Any, accumulators: Any = ACCUMULATORS) -> DeclaredFunctions:
    """Between two others, so that no slot is taken for another's."""
    columns = (Column("a", "count", None), Column("c", kind, "n", setting), Column("z", "sum", "n"))
    return declared_functions(Declared(Three, columns, by_item=False), accumulators)


class Three(ms.Record):
    a: int
    c: Any
    z: Any


def values_of(kind: Kind, values: list[Any]) -> Three:
    return Three(len(values), expected(kind, values), sum(value for value in values if value is not None))


def put_all(made: DeclaredFunctions, values: list[Any]) -> Any:
    slots = made.begin
    for at, value in enumerate(values):
        before, kept = slots, msgspec.json.encode(slots)
        slots = made.put("k", (Row1(value), at) if made.timed else Row1(value), slots)
        assert msgspec.json.encode(before) == kept  # nothing is changed in place
    return slots


def same(found: Three, wanted: Three) -> bool:
    return bool((found.a, found.z) == (wanted.a, wanted.z) and found.c == pytest.approx(wanted.c))


@pytest.mark.parametrize(("kind", "setting"), KINDS)
@given(first=VALUES, then=VALUES)
def test_results_and_merges(kind: Kind, setting: Any, first: list[int | None], then: list[int | None]) -> None:  # W16
    made = functions(kind, setting)
    one, other = put_all(made, first), put_all(made, then)
    assert same(made.result(one), values_of(kind, first))
    assert same(made.result(other), values_of(kind, then))
    if kind not in ("earliest", "latest"):  # whose times here begin anew
        assert same(made.result(made.merge("k", one, other)), values_of(kind, first + then))


BALANCED_KINDS_HERE = [
    (kind, setting)
    for kind, setting in KINDS
    if kind in ("sum", "mean", "variance", "std", "collect_list", "count_distinct", "histogram")
]


@pytest.mark.parametrize(("kind", "setting"), BALANCED_KINDS_HERE)
@given(values=VALUES, data=st.data())
def test_what_was_put_in_can_be_taken_out(kind: Kind, setting: Any, values: list[int | None], data: Any) -> None:  # K12
    made = functions(kind, setting, BALANCED)
    assert made.take is not None
    slots = put_all(made, values)
    left = list(values)
    for value in data.draw(st.permutations(values))[: len(values) // 2]:
        before, kept = slots, msgspec.json.encode(slots)
        slots = made.take("k", Row1(value), slots)
        assert msgspec.json.encode(before) == kept
        left.remove(value)
    found, wanted = made.result(slots), values_of(kind, left)
    assert (found.a, found.z) == (wanted.a, wanted.z)
    assert found.c == (pytest.approx(wanted.c, abs=1e-6))


def test_every_aggregate_that_takes_values_out_is_offered_for_tables() -> None:
    assert set(BALANCED) == BALANCED_KINDS
    assert set(ACCUMULATORS) == set(get_args(Kind))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1), st.lists(st.booleans()))
def test_earliest_and_latest_go_by_timestamps(records: list[tuple[int, int]], sides: list[bool]) -> None:
    for kind, pick in (("earliest", min), ("latest", max)):
        made = functions(cast("Kind", kind), None)
        parts = [made.begin, made.begin]
        for at, (value, time) in enumerate(records):
            side = sides[at] if at < len(sides) else True
            parts[side] = made.put("k", (Row1(value), time), parts[side])
        wanted = pick(time for _, time in records)
        found = made.result(made.merge("k", *parts)).c
        assert found in {value for value, time in records if time == wanted}


def test_of_equal_timestamps_earliest_keeps_the_first_and_latest_the_last() -> None:
    for kind, wanted in (("earliest", 1), ("latest", 2)):
        made = functions(cast("Kind", kind), None)
        slots = made.put("k", (Row1(2), 7), made.put("k", (Row1(1), 7), made.begin))
        assert made.result(slots).c == wanted


def test_sums_of_decimals_and_of_large_numbers_are_exact() -> None:
    made = functions("sum", None)
    assert made.result(put_all(made, [2**70, 1])).c == 2**70 + 1
    assert made.result(put_all(made, [Decimal("0.1"), Decimal("0.2")])).c == Decimal("0.3")
    deviation = functions("variance", None)
    assert deviation.result(put_all(deviation, [Decimal(1), Decimal(3)])).c == 2.0


@given(st.lists(st.floats(-1000, 1000), min_size=3, max_size=30), st.integers(0, 10**9))
def test_the_variance_of_large_numbers_loses_no_digits(values: list[float], offset: int) -> None:
    made = functions("variance", None)
    moved = [value + offset for value in values]
    half = len(values) // 2
    merged = made.merge("k", put_all(made, moved[:half]), put_all(made, moved[half:]))
    wanted = statistics.variance(moved)
    assert made.result(merged).c == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_fields_by_attribute_by_item_and_by_function() -> None:
    columns = (
        Column("a", "sum", "n"),
        Column("b", "sum", user_function(lambda v: v["n"] * 2, SITE, key=False)),
        Column("c", "last", "a b"),
    )
    made = declared_functions(Declared(dict, columns, by_item=True), ACCUMULATORS)
    assert made.result(made.put("k", {"n": 3, "a b": "x"}, made.begin)) == {"a": 3, "b": 6, "c": "x"}


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
    opened: str | None
    closed: str | None
    visitors: int
    median: float | None


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
        opened=ms.earliest("tag"),
        closed=ms.latest("tag"),
        visitors=ms.approx_count_distinct("tag"),
        median=ms.quantile("n", 0.5),
        store=store,
    )


READINGS = [(1, "a"), (7, "b"), (None, "a"), (4, "c")]
MEDIAN = 3.992  # within 1% of 4
WHOLE = Summary(9.0, 3.0, [1, 7, 4], ["a", "b", "c"], 3, [7, 4], [1, 1, 1], "a", "c", 3, MEDIAN)


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
    found = msgspec.json.decode(values[-1], type=Summary)
    assert msgspec.structs.replace(found, median=MEDIAN) == WHOLE
    assert found.median == pytest.approx(4, rel=0.01)
    task.close()


class Bill(ms.Record):
    amount: Decimal | None
    day: datetime.date
    units: int


class Bills(ms.Record):
    total: Decimal
    usual: Decimal | None
    spread: float | None
    first_day: datetime.date | None
    last_day: datetime.date | None
    days: int
    units: int
    most: list[Decimal]


BILLS = [
    Bill(Decimal("0.10"), datetime.date(2026, 3, 2), 2**64),
    Bill(None, datetime.date(2026, 3, 1), 1),
    Bill(Decimal("0.30"), datetime.date(2026, 3, 2), 2**70),
]


@pytest.mark.parametrize("split", [1, 2])
def test_types_survive_the_changelog(split: int) -> None:  # X7
    app = every()
    group = app.stream("in", value=Bill).group_by_key()
    how = {
        "total": ms.sum("amount"),
        "usual": ms.mean("amount"),
        "spread": ms.variance("amount"),
        "first_day": ms.min("day"),
        "last_day": ms.latest("day"),
        "days": ms.count_distinct("day"),
        "units": ms.sum("units"),
        "most": ms.top("amount", 1),
    }
    group.aggregate(Bills, **how, store="s").to_stream().to("out")
    plan = Plan(app, {"in": 1, "out": 1})
    (spec,) = plan.resolved.tasks
    (source,) = spec.inputs
    made = [Row(b"k", msgspec.json.encode(bill), at) for at, bill in enumerate(BILLS)]
    before, outbox = plan.only_task()
    before.add(batch_of(source, made[:split]))
    before.caught_up(source, split)
    before.process(max_rows=9, up_to_ms=None, wall_ms=0)
    task = plan.task(spec, outbox)
    for batch in before.changelog():
        task.restore(batch.target, batch_of(batch.target, rows_of(batch)))
    task.start()
    task.add(batch_of(source, made[split:], split))
    task.caught_up(source, 3)
    task.process(max_rows=9, up_to_ms=None, wall_ms=0)
    values = [row.value for batch in outbox.drain() for row in rows_of(batch) if row.value is not None]
    assert msgspec.json.decode(values[-1], type=Bills) == Bills(
        Decimal("0.40"),
        Decimal("0.20"),
        pytest.approx(0.02),
        datetime.date(2026, 3, 1),
        datetime.date(2026, 3, 2),
        2,
        2**64 + 1 + 2**70,
        [Decimal("0.30")],
    )


def test_settings_that_are_refused() -> None:
    with pytest.raises(TopologyError, match=r"test_accumulators\.py.*1 or more, got 0"):
        ms.top("n", 0)
    for bounds in ([], [3, 3], [5, 1]):
        with pytest.raises(TopologyError, match=r"test_accumulators\.py.*ascending"):
            ms.histogram("n", bounds)
    for q in (-0.1, 1.5):
        with pytest.raises(TopologyError, match=r"test_accumulators\.py.*from 0 to 1"):
            ms.quantile("n", q)
    with pytest.raises(TopologyError, match=r"test_accumulators\.py.*got none"):
        ms.quantiles("n", [])
    with pytest.raises(TopologyError, match=r"test_accumulators\.py.*fraction such as 0\.01"):
        ms.quantile("n", 0.5, accuracy=1)
    with pytest.raises(TopologyError, match=r"test_accumulators\.py.*from 4 to 16"):
        ms.approx_count_distinct("n", precision=30)
