"""Aggregations as functions: from the first record to an aggregate, from an aggregate and a record to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millstream.engine.accumulators import ACCUMULATORS, BALANCED
from millstream.engine.generated import DeclaredFunctions, declared_functions
from millstream.plan.aggregation import Aggregation, Counted, Declared, Folded, Reduced
from millstream.plan.nodes import Aggregate, TableNode
from millstream.plan.tables import TableAggregate


@dataclass(frozen=True, slots=True)
class Fold:
    """`first(key, value)` begins an aggregate, `then(key, value, aggregate)` goes on; None deletes the entry.

    `result` makes what is passed on of what is stored; None where they are the same. `empty` is what an aggregate
    begins from: Kafka Streams tells it as the old value of a first update, though only without a cache. A `timed` one
    takes pairs of a value and its record's timestamp for values.
    """

    first: Callable[[Any, Any], Any]
    then: Callable[[Any, Any, Any], Any]
    result: Callable[[Any], Any] | None = None
    empty: Callable[[], Any] = lambda: None
    timed: bool = False


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


def balanced_functions(aggregation: Declared) -> DeclaredFunctions:
    """Declared aggregates of a grouped table."""
    return declared_functions(aggregation, BALANCED)


def result_of(node: TableNode) -> Callable[[Any], Any] | None:
    """What makes a table's rows of what its store holds; None where they are the same."""
    match node:
        case Aggregate(aggregation=aggregation):
            return fold_for(aggregation).result
        case TableAggregate(aggregation=Declared() as aggregation):
            return balanced_functions(aggregation).result
        case _:
            return None


def old_of_none(fold: Fold, node: TableNode) -> Callable[[], Any] | None:
    """What a first update has as its old value, if that is not None."""
    cached = node.emit == "latest" or (isinstance(node, Aggregate) and node.cached)
    return fold.empty if node.sends_old and not cached else None


def _declared(plan: Declared) -> Fold:
    made = declared_functions(plan, ACCUMULATORS)
    return Fold(made.put, made.put, made.result, lambda: made.begin, timed=made.timed)
