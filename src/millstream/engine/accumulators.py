"""Declared aggregates: what each begins from, and how it takes a value in, merges, takes a value out, and is told.

These are short pieces of Python text over an aggregate's slots, from which `generated` writes one function for a set
of aggregates: `{0}`, `{1}` are the slots, `{o0}`, `{o1}` those of another aggregate, `{v}` is the value, which is not
None, `{t}` its record's timestamp, `{s}` the aggregate's setting. What a slot holds is never changed in place: an
aggregate that was passed on, or that an error leaves half-way, stays as it was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import msgspec

from millstream.engine.distinct import estimated, noted, united
from millstream.engine.quantiles import EMPTY_SKETCH, quantiles_of, sketched, sketches_added, unsketched
from millstream.plan.aggregation import Kind


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One declared aggregate. Without `subtract` no value can be taken out again."""

    begin: tuple[Any, ...]
    add: str
    merge: str
    result: str = "{0}"
    subtract: str | None = None

    @property
    def timed(self) -> bool:
        return "{t}" in self.add


# --- variance


def deviate(number: int, mean: float, squares: float, value: Any) -> tuple[int, float, float]:
    """Welford's: number, mean, and the sum of squared distances from it, with one value more."""
    number, value = number + 1, float(value)
    off = value - mean
    mean += off / number
    return number, mean, squares + off * (value - mean)


def undeviate(number: int, mean: float, squares: float, value: Any) -> tuple[int, float, float]:
    """The same backwards."""
    if number <= 1:
        return 0, 0.0, 0.0
    number, value = number - 1, float(value)
    off = value - mean
    mean -= off / number
    return number, mean, max(0.0, squares - off * (value - mean))


def deviations_added(
    number: int, mean: float, squares: float, other: int, other_mean: float, other_squares: float
) -> tuple[int, float, float]:
    """Chan's."""
    if not number or not other:
        return (number, mean, squares) if number else (other, other_mean, other_squares)
    off, total = other_mean - mean, number + other
    return total, mean + off * other / total, squares + other_squares + off * off * number * other / total


# --- collections


def without(values: list[Any], value: Any) -> list[Any]:
    """The list without the first that is equal."""
    at = values.index(value)
    return [*values[:at], *values[at + 1 :]]


def counted(counts: dict[str, int], value: Any) -> dict[str, int]:
    """Values by their JSON, and how many there are of each."""
    text = msgspec.json.encode(value).decode()
    return {**counts, text: counts.get(text, 0) + 1}


def uncounted(counts: dict[str, int], value: Any) -> dict[str, int]:
    text = msgspec.json.encode(value).decode()
    left = {**counts, text: counts.get(text, 0) - 1}
    if left[text] <= 0:
        del left[text]
    return left


def best(values: list[Any], value: Any, size: int) -> list[Any]:
    if len(values) == size and not value > values[-1]:
        return values
    return largest([*values, value], size)


def largest(values: list[Any], size: int) -> list[Any]:
    return sorted(values, reverse=True)[:size]


def placed(counts: list[int], value: Any, bounds: tuple[float, ...], change: int) -> list[int]:
    """Histogram counts with one more, or one less, where the value lies."""
    counts = counts or [0] * (len(bounds) + 1)
    at = bisect_right(bounds, value)
    return [*counts[:at], counts[at] + change, *counts[at + 1 :]]


def counts_added(counts: list[int], other: list[int]) -> list[int]:
    return [one + more for one, more in zip(counts, other, strict=True)] if counts and other else counts or other


# --- all of them

ACCUMULATORS: Mapping[Kind, Accumulator] = {
    "count": Accumulator((0,), "{0} += 1", "{0} += {o0}", subtract="{0} -= 1"),
    "sum": Accumulator((0,), "{0} += {v}", "{0} += {o0}", subtract="{0} -= {v}"),
    "mean": Accumulator(
        (0, 0), "{0} += {v}; {1} += 1", "{0} += {o0}; {1} += {o1}", "{0} / {1} if {1} else None", "{0} -= {v}; {1} -= 1"
    ),
    "min": Accumulator(
        (None,),
        "if {0} is None or {v} < {0}: {0} = {v}",
        "if {0} is None or ({o0} is not None and {o0} < {0}): {0} = {o0}",
    ),
    "max": Accumulator(
        (None,),
        "if {0} is None or {v} > {0}: {0} = {v}",
        "if {0} is None or ({o0} is not None and {o0} > {0}): {0} = {o0}",
    ),
    "first": Accumulator((None,), "if {0} is None: {0} = {v}", "if {0} is None: {0} = {o0}"),
    "last": Accumulator((None,), "{0} = {v}", "if {o0} is not None: {0} = {o0}"),
    "earliest": Accumulator(
        (None, -1),
        "if {0} is None or {t} < {1}: {0}, {1} = {v}, {t}",
        "if {0} is None or ({o0} is not None and {o1} < {1}): {0}, {1} = {o0}, {o1}",
    ),
    "latest": Accumulator(
        (None, -1),
        "if {t} >= {1}: {0}, {1} = {v}, {t}",
        "if {o1} >= {1}: {0}, {1} = {o0}, {o1}",
    ),
    "variance": Accumulator(
        (0, 0.0, 0.0),
        "{0}, {1}, {2} = deviate({0}, {1}, {2}, {v})",
        "{0}, {1}, {2} = deviations_added({0}, {1}, {2}, {o0}, {o1}, {o2})",
        "{2} / ({0} - 1) if {0} > 1 else None",
        "{0}, {1}, {2} = undeviate({0}, {1}, {2}, {v})",
    ),
    "std": Accumulator(
        (0, 0.0, 0.0),
        "{0}, {1}, {2} = deviate({0}, {1}, {2}, {v})",
        "{0}, {1}, {2} = deviations_added({0}, {1}, {2}, {o0}, {o1}, {o2})",
        "sqrt({2} / ({0} - 1)) if {0} > 1 else None",
        "{0}, {1}, {2} = undeviate({0}, {1}, {2}, {v})",
    ),
    "collect_list": Accumulator(([],), "{0} = [*{0}, {v}]", "{0} = [*{0}, *{o0}]", subtract="{0} = without({0}, {v})"),
    "collect_set": Accumulator(
        ([],),
        "if {v} not in {0}: {0} = [*{0}, {v}]",
        "{0} = [*{0}, *[each for each in {o0} if each not in {0}]]",
    ),
    "count_distinct": Accumulator(
        (frozenset(),), "if {v} not in {0}: {0} = {0}.union(({v},))", "{0} = {0} | {o0}", "len({0})"
    ),
    "approx_count_distinct": Accumulator(
        ((),), "{0} = noted({0}, {v}, {s})", "{0} = united({0}, {o0}, {s})", "estimated({0}, {s})"
    ),
    "top": Accumulator(([],), "{0} = best({0}, {v}, {s})", "{0} = largest([*{0}, *{o0}], {s})"),
    "histogram": Accumulator(
        ([],),
        "{0} = placed({0}, {v}, {s}, 1)",
        "{0} = counts_added({0}, {o0})",
        "list({0}) or [0] * (len({s}) + 1)",
        "{0} = placed({0}, {v}, {s}, -1)",
    ),
    "quantile": Accumulator(
        (EMPTY_SKETCH,),
        "{0} = sketched({0}, {v}, {s})",
        "{0} = sketches_added({0}, {o0})",
        "quantiles_of({0}, {s})[0]",
        "{0} = unsketched({0}, {v}, {s})",
    ),
    "quantiles": Accumulator(
        (EMPTY_SKETCH,),
        "{0} = sketched({0}, {v}, {s})",
        "{0} = sketches_added({0}, {o0})",
        "quantiles_of({0}, {s})",
        "{0} = unsketched({0}, {v}, {s})",
    ),
}

# In grouped tables a value may have to be taken out again: each is kept with how many there are of it.
BALANCED: Mapping[Kind, Accumulator] = {
    **{kind: each for kind, each in ACCUMULATORS.items() if each.subtract is not None},
    "count_distinct": Accumulator(
        ({},),
        "{0} = counted({0}, {v})",
        "{0} = {o0}",  # tables have no sessions that merge
        "len({0})",
        "{0} = uncounted({0}, {v})",
    ),
}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        best,
        counted,
        counts_added,
        deviate,
        deviations_added,
        estimated,
        largest,
        noted,
        placed,
        quantiles_of,
        sketched,
        sketches_added,
        sqrt,
        uncounted,
        undeviate,
        united,
        unsketched,
        without,
    )
}
