"""The nodes of table operators: filter, map_values, group_by with its aggregation, joins of two tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from millstream.plan.aggregation import Balanced, Declared
from millstream.plan.function import UserFunction
from millstream.plan.nodes import Node, TableNode

JoinKind: TypeAlias = Literal["inner", "left", "outer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFilter(TableNode):
    """Rows for which the predicate holds, or does not, when negated (rule K4)."""

    predicate: UserFunction
    negated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapValues(TableNode):
    """Rows with a new value; None deletes (rule K5)."""

    mapper: UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTransform(TableNode):
    """Rows with the value that a transformer of the user's makes, one for each task, which may have `stores`."""

    supplier: Callable[..., Any]
    stores: tuple[str, ...]

    @property
    def needs_place(self) -> bool:
        return True

    @property
    def store_names(self) -> tuple[str, ...]:
        return self.stores if self.store is None else (self.store, *self.stores)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSelect(Node):
    """Updates under a new key and value, old and new apart, on their way to a repartition topic (rules K10, K11)."""

    selector: UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAggregate(TableNode):
    """An aggregate of a grouped table: the old value is taken out, then the new one put in (rules K12, K13)."""

    aggregation: Balanced | Declared


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTableJoin(TableNode):
    """One side of a join of two tables: an update of this side meets the row of the `other` one (rules J19-J24).

    `looked_up` are the stores that the other side's rows are read from. `right`: this side is the right one.
    """

    kind: JoinKind
    right: bool
    other: str
    looked_up: tuple[str, ...]
    joiner: UserFunction

    @property
    def store_names(self) -> tuple[str, ...]:
        return self.looked_up

    @property
    def meets(self) -> tuple[str, ...]:
        return (self.other,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMerge(TableNode):
    """Both sides of a join of two tables, `left_table` and `right_table`, as one table."""

    kind: JoinKind
    left_table: str
    right_table: str
    joiner: UserFunction
