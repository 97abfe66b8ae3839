"""Aggregations as functions: from the first record to an aggregate, from an aggregate and a record to the next."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from millstream.plan.aggregation import Aggregation, Column, Counted, Declared, Folded, Kind, Reduced
from millstream.plan.function import UserFunction

Step: TypeAlias = Callable[[list[Any], int, Any], None]  # accumulators, slot, the field's value


@dataclass(frozen=True, slots=True)
class Fold:
    """`first(key, value)` begins an aggregate, `then(key, value, aggregate)` goes on; None deletes the entry.

    `result` makes what is passed on of what is stored; None where they are the same.
    """

    first: Callable[[Any, Any], Any]
    then: Callable[[Any, Any, Any], Any]
    result: Callable[[Any], Any] | None = None


def fold_for(aggregation: Aggregation) -> Fold:
    match aggregation:
        case Counted():
            return Fold(lambda _key, _value: 1, lambda _key, _value, count: count + 1)
        case Reduced(reducer=reduce):
            return Fold(lambda _key, value: value, lambda _key, value, aggregate: reduce(aggregate, value))
        case Folded(initializer=initialize, aggregator=aggregate):
            return Fold(lambda key, value: aggregate(key, value, initialize()), aggregate)
        case Declared():
            return _declared(aggregation)


# --- declared aggregates: a flat list of accumulators


def _count(slots: list[Any], at: int, _value: Any) -> None:
    slots[at] += 1


def _sum(slots: list[Any], at: int, value: Any) -> None:
    if value is not None:
        slots[at] += value


def _mean(slots: list[Any], at: int, value: Any) -> None:
    if value is not None:
        slots[at] += value
        slots[at + 1] += 1


def _min(slots: list[Any], at: int, value: Any) -> None:
    if value is not None and (slots[at] is None or value < slots[at]):
        slots[at] = value


def _max(slots: list[Any], at: int, value: Any) -> None:
    if value is not None and (slots[at] is None or value > slots[at]):
        slots[at] = value


def _first(slots: list[Any], at: int, value: Any) -> None:
    if slots[at] is None:
        slots[at] = value


def _last(slots: list[Any], at: int, value: Any) -> None:
    if value is not None:
        slots[at] = value


STEPS: dict[Kind, tuple[Step, list[Any]]] = {
    "count": (_count, [0]),
    "sum": (_sum, [0]),
    "mean": (_mean, [0, 0]),
    "min": (_min, [None]),
    "max": (_max, [None]),
    "first": (_first, [None]),
    "last": (_last, [None]),
}


def _declared(plan: Declared) -> Fold:
    initial: list[Any] = []
    steps: list[tuple[Step, int]] = []
    for column in plan.columns:
        step, slots = STEPS[column.kind]
        steps.append((step, len(initial)))
        initial += slots
    read = _reader(plan.columns, by_item=plan.by_item)
    nothing = (None,) * len(steps)

    def then(_key: Any, value: Any, slots: list[Any]) -> list[Any]:
        # a copy: an error half-way leaves the stored aggregate whole, and what was passed on stays as it was
        slots = slots.copy()
        for (step, at), field in zip(steps, nothing if value is None else read(value), strict=True):
            step(slots, at, field)
        return slots

    names = [column.name for column in plan.columns]
    finish = [(at, column.kind == "mean") for (_, at), column in zip(steps, plan.columns, strict=True)]
    make = plan.result

    def result(slots: list[Any]) -> Any:
        values = [
            (slots[at] / slots[at + 1] if slots[at + 1] else None) if is_mean else slots[at] for at, is_mean in finish
        ]
        return make(**dict(zip(names, values, strict=True)))

    return Fold(lambda key, value: then(key, value, initial), then, result)


def _reader(columns: tuple[Column, ...], *, by_item: bool) -> Callable[[Any], tuple[Any, ...]]:
    """One function that reads all the fields of a value."""
    fields = [column.field for column in columns]
    if len(fields) > 1 and all(isinstance(field, str) for field in fields):
        names = [field for field in fields if isinstance(field, str)]
        return operator.itemgetter(*names) if by_item else operator.attrgetter(*names)
    getters = [_getter(field, by_item=by_item) for field in fields]
    return lambda value: tuple(get(value) for get in getters)


def _getter(field: str | UserFunction | None, *, by_item: bool) -> Callable[[Any], Any]:
    match field:
        case None:
            return lambda _value: None
        case str(name):
            return operator.itemgetter(name) if by_item else operator.attrgetter(name)
        case UserFunction(call=call):
            return call
