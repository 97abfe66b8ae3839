"""Declared aggregates: what `aggregate(Result, name=...)` can compute, in one pass, without a function per record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millstream.plan.aggregation import Kind


@dataclass(frozen=True, slots=True)
class DeclaredAggregate:
    """An aggregate of a field, or of what a function makes of the value. Fields that are None are passed over."""

    kind: Kind
    field: str | Callable[[Any], Any] | None


def count() -> DeclaredAggregate:
    """The number of records.

    >>> count()
    DeclaredAggregate(kind='count', field=None)
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
