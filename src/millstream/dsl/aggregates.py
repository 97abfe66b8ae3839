"""Declared aggregates: what `aggregate(Result, name=...)` can compute, in one pass, without a function per record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from millstream.errors import TopologyError
from millstream.plan.aggregation import Kind
from millstream.plan.site import call_site


@dataclass(frozen=True, slots=True)
class DeclaredAggregate:
    """An aggregate of a field, or of what a function makes of the value. Fields that are None are passed over."""

    kind: Kind
    field: str | Callable[[Any], Any] | None
    setting: Any = None


def count() -> DeclaredAggregate:
    """The number of records.

    >>> count()
    DeclaredAggregate(kind='count', field=None, setting=None)
    """
    return DeclaredAggregate("count", None)


def sum(field: str | Callable[[Any], Any]) -> DeclaredAggregate:  # noqa: A001 - the field's standard term, as ms.sum
    """The sum; 0 where there is nothing to add."""
    return DeclaredAggregate("sum", field)


def mean(field: str | Callable[[Any], Any]) -> DeclaredAggregate:
    """The arithmetic mean: the sum divided by the number of values; None where there is none."""
    return DeclaredAggregate("mean", field)


def min(field: str | Callable[[Any], Any]) -> DeclaredAggregate:  # noqa: A001
    """The smallest value; None where there is none."""
    return DeclaredAggregate("min", field)


def max(field: str | Callable[[Any], Any]) -> DeclaredAggregate:  # noqa: A001
    """The largest value; None where there is none."""
    return DeclaredAggregate("max", field)


def first(field: str | Callable[[Any], Any]) -> DeclaredAggregate:
    """The value of the record that was processed first."""
    return DeclaredAggregate("first", field)


def last(field: str | Callable[[Any], Any]) -> DeclaredAggregate:
    """The value of the record that was processed last."""
    return DeclaredAggregate("last", field)


def variance(field: str | Callable[[Any], Any]) -> DeclaredAggregate:
    """The sample variance, kept so that large values lose no digits; None of fewer than two values."""
    return DeclaredAggregate("variance", field)


def std(field: str | Callable[[Any], Any]) -> DeclaredAggregate:
    """The standard deviation: the square root of the sample variance."""
    return DeclaredAggregate("std", field)


def collect_list(field: str | Callable[[Any], Any]) -> DeclaredAggregate:
    """All values, in the order of processing. The aggregate grows with each: meant for small groups."""
    return DeclaredAggregate("collect_list", field)


def collect_set(field: str | Callable[[Any], Any]) -> DeclaredAggregate:
    """Each different value once, as a list in the order in which they first came: meant for few values."""
    return DeclaredAggregate("collect_set", field)


def count_distinct(field: str | Callable[[Any], Any]) -> DeclaredAggregate:
    """The number of different values, exactly: all of them are kept."""
    return DeclaredAggregate("count_distinct", field)


def top(field: str | Callable[[Any], Any], size: int) -> DeclaredAggregate:
    """The `size` largest values, the largest first.

    >>> top("bitrate", 3).setting
    3
    """
    if size < 1:
        raise TopologyError(f"{call_site('top')}: give the number of values to keep, 1 or more, got {size}")
    return DeclaredAggregate("top", field, size)


def histogram(field: str | Callable[[Any], Any], bounds: Sequence[float]) -> DeclaredAggregate:
    """How many values lie below the first of the ascending `bounds`, from each bound to the next, and from the last on.

    A value that equals a bound is counted above it. The result is a list with one number more than there are bounds.

    >>> histogram("latency_ms", [10, 100]).setting
    (10, 100)
    """
    if not bounds or any(low >= high for low, high in pairwise(bounds)):
        raise TopologyError(f"{call_site('histogram')}: bounds must be ascending numbers, one or more, got {bounds!r}")
    return DeclaredAggregate("histogram", field, tuple(bounds))
