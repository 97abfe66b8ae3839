"""What an aggregation does, declared: fields and kinds, or the user's initializer and aggregator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from millstream.plan.function import UserFunction

Kind: TypeAlias = Literal[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "first",
    "last",
    "earliest",
    "latest",
    "variance",
    "std",
    "collect_list",
    "collect_set",
    "count_distinct",
    "approx_count_distinct",
    "top",
    "histogram",
    "quantile",
    "quantiles",
]


@dataclass(frozen=True, slots=True)
class QuantileSetting:
    """Which quantiles, from 0 to 1, and how far one may be from the true one, as a fraction of it."""

    quantiles: tuple[float, ...]
    accuracy: float


@dataclass(frozen=True, slots=True)
class Column:
    """One declared aggregate: its name in the result, its kind, and the field it reads (None: a count).

    `setting` is the number of values of "top", the bounds of "histogram", the precision of "approx_count_distinct", and
    which quantiles.
    """

    name: str
    kind: Kind
    field: str | UserFunction | None
    setting: Any = None


@dataclass(frozen=True, slots=True)
class Declared:
    """Several aggregates of one group, computed in one pass. The result is a `result` made of the columns."""

    result: Callable[..., Any]
    columns: tuple[Column, ...]
    by_item: bool  # fields are read as value["field"], not value.field


@dataclass(frozen=True, slots=True)
class Folded:
    """Kafka Streams' own form: an initializer, and an aggregator of (key, value, aggregate)."""

    initializer: Callable[[], Any]
    aggregator: Callable[[Any, Any, Any], Any]
    merger: Callable[[Any, Any, Any], Any] | None = None  # of (key, aggregate, next aggregate), for sessions


@dataclass(frozen=True, slots=True)
class Balanced:
    """A grouped table's own form: functions of (key, value, aggregate) that put a value in and take one out.

    Without an initializer the first value is the aggregate.
    """

    initializer: Callable[[], Any] | None
    add: Callable[[Any, Any, Any], Any]
    subtract: Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Reduced:
    """Kafka Streams' reduce: the first value is the aggregate, then reducer(aggregate, value)."""

    reducer: Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of records."""


Aggregation: TypeAlias = Declared | Folded | Reduced | Counted
