"""Aggregations as functions: from the first record to an aggregate, from an aggregate and a record to the next."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from millstream.engine.accumulators import Result, Step, accumulator_for, only_slot
from millstream.plan.aggregation import Aggregation, Counted, Declared, Folded, Reduced
from millstream.plan.function import UserFunction
from millstream.plan.nodes import Aggregate, TableNode


@dataclass(frozen=True, slots=True)
class Fold:
    """`first(key, value)` begins an aggregate, `then(key, value, aggregate)` goes on; None deletes the entry.

    `result` makes what is passed on of what is stored; None where they are the same. `empty` is what an aggregate
    begins from: Kafka Streams tells it as the old value of a first update, though only without a cache.
    """

    first: Callable[[Any, Any], Any]
    then: Callable[[Any, Any, Any], Any]
    result: Callable[[Any], Any] | None = None
    empty: Callable[[], Any] = lambda: None


def fold_for(aggregation: Aggregation) -> Fold:
    match aggregation:
        case Counted():
            return Fold(lambda _key, _value: 1, lambda _key, _value, count: count + 1, empty=lambda: 0)
        case Reduced(reducer=reduce):
            return Fold(lambda _key, value: value, lambda _key, value, aggregate: reduce(aggregate, value))
        case Folded(initializer=initialize, aggregator=aggregate):
            return Fold(lambda key, value: aggregate(key, value, initialize()), aggregate, empty=initialize)
        case Declared():
            return _declared(aggregation)


def old_of_none(fold: Fold, node: TableNode) -> Callable[[], Any]:
    """What a first update has as its old value."""
    cached = node.emit == "latest" or (isinstance(node, Aggregate) and node.cached)
    return fold.empty if node.sends_old and not cached else lambda: None


def _declared(plan: Declared) -> Fold:
    initial: list[Any] = []
    counts: list[int] = []
    steps: list[Step] = []
    places: list[int] = []
    for column in plan.columns:
        accumulator = accumulator_for(column)
        if column.field is None:
            counts.append(len(initial))
        else:
            steps.append(accumulator.step)
            places.append(len(initial))
        initial += accumulator.begin
    read = _reader([column.field for column in plan.columns if column.field is not None], by_item=plan.by_item)

    def then(_key: Any, value: Any, slots: list[Any]) -> list[Any]:
        # a copy: an error half-way leaves the stored aggregate whole, and what was passed on stays as it was
        slots = list(slots)
        for at in counts:
            slots[at] += 1
        if value is not None:
            for step, at, field in zip(steps, places, read(value), strict=True):
                step(slots, at, field)
        return slots

    return Fold(lambda key, value: then(key, value, initial), then, _result(plan), lambda: initial)


def _result(plan: Declared) -> Callable[[list[Any]], Any]:
    """From accumulators to the declared result."""
    finish: list[tuple[int, Result | None]] = []
    width = 0
    for column in plan.columns:
        accumulator = accumulator_for(column)
        finish.append((width, None if accumulator.result is only_slot else accumulator.result))
        width += len(accumulator.begin)
    names = [column.name for column in plan.columns]
    make, positional = plan.result, _takes_in_order(plan.result, names)

    def result(slots: list[Any]) -> Any:
        values = [slots[at] if of is None else of(slots, at) for at, of in finish]
        return make(*values) if positional else make(**dict(zip(names, values, strict=True)))

    return result


def _takes_in_order(make: Callable[..., Any], names: list[str]) -> bool:
    """Whether the result type can be called with these fields by position, which is several times faster."""
    try:
        probe = make(*range(len(names)))
    except (TypeError, ValueError):
        return False
    return all(getattr(probe, name, None) == place for place, name in enumerate(names))


def _reader(fields: list[str | UserFunction], *, by_item: bool) -> Callable[[Any], Iterable[Any]]:
    """One function that reads all the fields of a value."""
    names = [field for field in fields if isinstance(field, str)]
    if len(names) == len(fields) > 1:
        return operator.itemgetter(*names) if by_item else operator.attrgetter(*names)
    getters = [_getter(field, by_item=by_item) for field in fields]
    if len(getters) == 1:
        only = getters[0]
        return lambda value: (only(value),)
    return lambda value: [get(value) for get in getters]


def _getter(field: str | UserFunction, *, by_item: bool) -> Callable[[Any], Any]:
    if isinstance(field, str):
        return operator.itemgetter(field) if by_item else operator.attrgetter(field)
    return field.call
