"""Declared aggregates as accumulators: what each begins from, takes in, merges with, and gives as its result.

Accumulators of one aggregate lie in one flat list of slots. What a slot holds is never changed in place: an aggregate
that was passed on, or that an error leaves half-way, stays as it was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeAlias

from millstream.plan.aggregation import Column, Kind

Step: TypeAlias = Callable[[list[Any], int, Any], None]  # slots, the first of its own, the field's value
Merge: TypeAlias = Callable[[list[Any], int, list[Any]], None]  # slots, its first, the slots put into them
Result: TypeAlias = Callable[[list[Any], int], Any]


def only_slot(slots: list[Any], at: int) -> Any:
    """The result of aggregates that are kept as what they are."""
    return slots[at]


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One declared aggregate. `step` is called with values that are None too, and passes over them."""

    begin: tuple[Any, ...]
    step: Step
    merge: Merge
    result: Result = only_slot


def accumulator_for(column: Column) -> Accumulator:
    match column.kind:
        case "top":
            return _top(column.setting)
        case "histogram":
            return _histogram(column.setting)
        case kind:
            return ACCUMULATORS[kind]


# --- one slot that takes values


def _sum(slots: list[Any], at: int, value: Any) -> None:
    if value is not None:
        slots[at] += value


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


def _of_one_value(begin: Any, step: Step) -> Accumulator:
    """The other aggregate is one value, put in like a record's."""
    return Accumulator((begin,), step, lambda slots, at, then: step(slots, at, then[at]))


# --- mean, variance


def _mean(slots: list[Any], at: int, value: Any) -> None:
    if value is not None:
        slots[at] += value
        slots[at + 1] += 1


def _merge_mean(slots: list[Any], at: int, then: list[Any]) -> None:
    slots[at] += then[at]
    slots[at + 1] += then[at + 1]


def _mean_result(slots: list[Any], at: int) -> Any:
    return slots[at] / slots[at + 1] if slots[at + 1] else None


def _deviate(slots: list[Any], at: int, value: Any) -> None:
    """Welford's: number, mean, and the sum of squared distances from it."""
    if value is not None:
        slots[at] += 1
        off = value - slots[at + 1]
        slots[at + 1] += off / slots[at]
        slots[at + 2] += off * (value - slots[at + 1])


def _merge_deviation(slots: list[Any], at: int, then: list[Any]) -> None:
    """Chan's."""
    number, other = slots[at], then[at]
    if not other:
        return
    off, total = then[at + 1] - slots[at + 1], number + other
    slots[at] = total
    slots[at + 1] += off * other / total
    slots[at + 2] += then[at + 2] + off * off * number * other / total


def _variance(slots: list[Any], at: int) -> float | None:
    return slots[at + 2] / (slots[at] - 1) if slots[at] > 1 else None


def _deviation(slots: list[Any], at: int) -> float | None:
    return sqrt(slots[at + 2] / (slots[at] - 1)) if slots[at] > 1 else None


# --- collections


def _collect(slots: list[Any], at: int, value: Any) -> None:
    if value is not None:
        slots[at] = [*slots[at], value]


def _merge_lists(slots: list[Any], at: int, then: list[Any]) -> None:
    slots[at] = [*slots[at], *then[at]]


def _collect_new(slots: list[Any], at: int, value: Any) -> None:
    if value is not None and value not in slots[at]:
        slots[at] = [*slots[at], value]


def _merge_new(slots: list[Any], at: int, then: list[Any]) -> None:
    for value in then[at]:
        _collect_new(slots, at, value)


def _distinguish(slots: list[Any], at: int, value: Any) -> None:
    if value is not None and value not in slots[at]:
        slots[at] = slots[at] | {value}


def _merge_sets(slots: list[Any], at: int, then: list[Any]) -> None:
    slots[at] = slots[at] | then[at]


def _top(size: int) -> Accumulator:
    def largest(values: Sequence[Any]) -> list[Any]:
        return sorted(values, reverse=True)[:size]

    def step(slots: list[Any], at: int, value: Any) -> None:
        if value is not None and (len(slots[at]) < size or value > slots[at][-1]):
            slots[at] = largest([*slots[at], value])

    def merge(slots: list[Any], at: int, then: list[Any]) -> None:
        slots[at] = largest([*slots[at], *then[at]])

    return Accumulator(([],), step, merge)


def _histogram(bounds: tuple[float, ...]) -> Accumulator:
    def step(slots: list[Any], at: int, value: Any) -> None:
        if value is not None:
            slots[at + bisect_right(bounds, value)] += 1

    def merge(slots: list[Any], at: int, then: list[Any]) -> None:
        for place in range(at, at + len(bounds) + 1):
            slots[place] += then[place]

    return Accumulator((0,) * (len(bounds) + 1), step, merge, lambda slots, at: list(slots[at : at + len(bounds) + 1]))


ACCUMULATORS: dict[Kind, Accumulator] = {
    "count": _of_one_value(0, _sum),  # without a field: one more for each record
    "sum": _of_one_value(0, _sum),
    "mean": Accumulator((0, 0), _mean, _merge_mean, _mean_result),
    "min": _of_one_value(None, _min),
    "max": _of_one_value(None, _max),
    "first": _of_one_value(None, _first),
    "last": _of_one_value(None, _last),
    "variance": Accumulator((0, 0.0, 0.0), _deviate, _merge_deviation, _variance),
    "std": Accumulator((0, 0.0, 0.0), _deviate, _merge_deviation, _deviation),
    "collect_list": Accumulator(([],), _collect, _merge_lists),
    "collect_set": Accumulator(([],), _collect_new, _merge_new),
    "count_distinct": Accumulator((frozenset(),), _distinguish, _merge_sets, lambda slots, at: len(slots[at])),
}
