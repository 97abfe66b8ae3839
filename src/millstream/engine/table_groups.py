"""Tables grouped by something else: old and new values part, and are taken out and put in again (rules K10-K13)."""

from __future__ import annotations

from typing import Any

from millstream.engine.emission import emitter, versions
from millstream.engine.folds import balanced_functions, result_of
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.errors import ProcessingError
from millstream.plan.aggregation import Balanced, Declared
from millstream.plan.tables import TableAggregate, TableSelect
from millstream.serde import Change
from millstream.state import KeyValueRows, VersionedRows

Pair = tuple[Any, Any] | None


def table_select(node: TableSelect, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rules K10 and K11: an old value goes where it went before, a new one where it belongs now."""
    selector, forward, failed = node.selector.by_key_and_value, downstream.forward, parts.failures.processing
    context = parts.context

    def selected(key: Any, value: Any) -> Pair:
        pair: Pair = None if value is None else selector(key, value)
        return None if pair is None or pair[0] is None or pair[1] is None else pair

    def call(key: Any, new: Any, old: Any, timestamp: int) -> None:
        if not context.latest:  # K17
            return None
        if key is None:
            raise ProcessingError(f"{node.site}: a row of the grouped table has a null key")
        try:
            added, removed = selected(key, new), selected(key, old)
        except Exception as error:
            return failed(node.name, node.site, error)
        if added is not None and removed is not None and added[0] == removed[0]:
            return forward(added[0], (added[1], removed[1]), timestamp)
        if removed is not None:
            forward(removed[0], (None, removed[1]), timestamp)
        if added is not None:
            forward(added[0], (added[1], None), timestamp)
        return None

    return call


def _balance(aggregation: Balanced | Declared) -> Balanced:
    if isinstance(aggregation, Balanced):
        return aggregation
    made = balanced_functions(aggregation)
    assert made.take is not None, "the DSL refuses what cannot be taken out"
    return Balanced(lambda: made.begin, made.put, made.take)


def table_aggregate(node: TableAggregate, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rules K12 and K13."""
    rows: KeyValueRows | VersionedRows = parts.rows(str(node.store))
    emit = emitter(node.emit, downstream, parts, result_of(node), sends_old=node.sends_old)
    balance = _balance(node.aggregation)
    initialize, add, subtract = balance.initializer, balance.add, balance.subtract
    failed = parts.failures.processing
    update = versions(rows, emit, parts) if isinstance(rows, VersionedRows) else None

    def balanced(key: Any, change: Change, aggregate: Any) -> Any:
        new, old = change
        if old is not None and aggregate is not None:
            aggregate = subtract(key, old, aggregate)
        if new is None:
            return aggregate
        if aggregate is None:
            if initialize is None:
                return new
            aggregate = initialize()
        return add(key, new, aggregate)

    def call(key: Any, change: Change, timestamp: int) -> None:
        row = rows.get(key)
        before = None if row is None else row[0]
        try:
            after = balanced(key, change, before)
        except Exception as error:
            return failed(node.name, node.site, error)
        if row is not None and row[1] > timestamp:
            timestamp = row[1]
        if update is not None:
            return update(key, after, before, timestamp)
        if after is None:
            rows.delete(key, timestamp)
        else:
            rows.put(key, after, timestamp)
        return emit(key, key, after, before, timestamp)

    return call
