"""Aggregations in windows that split and merge: what they begin from, one record more, two aggregates as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millstream.engine.accumulators import ACCUMULATORS
from millstream.engine.folds import fold_for
from millstream.engine.generated import declared_functions
from millstream.plan.aggregation import Aggregation, Counted, Declared, Folded, Reduced


@dataclass(frozen=True, slots=True)
class Merging:
    """`begin()` is the aggregate of nothing, `add(key, value, aggregate)` takes a record in, and
    `merge(key, aggregate, next)` another aggregate. `result` makes what is passed on of what is stored. `neutral`:
    merged with the aggregate of nothing, another one stays as it is.
    """

    begin: Callable[[], Any]
    add: Callable[[Any, Any, Any], Any]
    merge: Callable[[Any, Any, Any], Any]
    result: Callable[[Any], Any] | None = None
    neutral: bool = True


def merging_for(aggregation: Aggregation) -> Merging:
    """Rule W16; sessions of the user's own aggregate have a merger, which other windows don't need."""
    fold = fold_for(aggregation)
    match aggregation:
        case Counted():
            return Merging(fold.empty, fold.then, lambda _key, first, then: first + then)
        case Reduced(reducer=reduce):

            def reduced(_key: Any, first: Any, then: Any) -> Any:
                return then if first is None else reduce(first, then)

            return Merging(lambda: None, lambda key, value, aggregate: reduced(key, aggregate, value), reduced)
        case Folded(merger=merger):
            return Merging(fold.empty, fold.then, merger or _no_merger, neutral=False)
        case Declared():
            return Merging(fold.empty, fold.then, declared_functions(aggregation, ACCUMULATORS).merge, fold.result)


def _no_merger(_key: Any, _first: Any, _then: Any) -> Any:
    raise AssertionError("only sessions merge, and theirs have a merger")
