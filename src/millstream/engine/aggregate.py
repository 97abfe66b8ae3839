"""Aggregation of a group: count, reduce, aggregate, each record an update (rules A1-A4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.engine.emission import emitter, versions
from millstream.engine.folds import fold_for, old_of_none
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.sessions import session_aggregate
from millstream.engine.sliding import sliding_aggregate
from millstream.engine.windows import windowed_aggregate
from millstream.plan.nodes import Aggregate
from millstream.plan.windows import SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows
from millstream.state import KeyValueRows, VersionedRows


def aggregate(node: Aggregate, downstream: Downstream, parts: Parts) -> NodeFunction:
    function = _by_windows(node, downstream, parts)
    if not fold_for(node.aggregation).timed:
        return function

    def timed(key: Any, value: Any, timestamp: int) -> None:
        function(key, None if value is None else (value, timestamp), timestamp)

    return timed


def _by_windows(node: Aggregate, downstream: Downstream, parts: Parts) -> NodeFunction:
    match node.windows:
        case TimeWindows() | UnlimitedWindows() as windows:
            return windowed_aggregate(node, windows, downstream, parts)
        case SlidingWindows() as windows:
            return sliding_aggregate(node, windows, downstream, parts)
        case SessionWindows() as windows:
            return session_aggregate(node, windows, downstream, parts)
        case None:
            return _aggregate(node, downstream, parts)


def _aggregate(node: Aggregate, downstream: Downstream, parts: Parts) -> NodeFunction:
    rows: KeyValueRows | VersionedRows = parts.rows(str(node.store))
    fold = fold_for(node.aggregation)
    emit = emitter(node.emit, downstream, parts, fold.result, sends_old=node.sends_old)
    get, first, then = rows.get, fold.first, fold.then
    update = versions(rows, emit, parts) if isinstance(rows, VersionedRows) else None
    touch: Callable[[Any, int], None] = rows.touch if isinstance(rows, KeyValueRows) else lambda _key, _time: None
    none = old_of_none(fold, node)
    metrics, failed = parts.metrics, parts.failures.processing

    def call(key: Any, value: Any, timestamp: int) -> None:
        if key is None or value is None:  # A1
            metrics.dropped += 1
            return None
        row = get(key)
        try:
            if row is None:
                old = None if none is None else none()
                new = first(key, value)
            else:
                old = row[0]
                new = then(key, value, old)
        except Exception as error:
            return failed(node.name, node.site, error)
        if row is not None and row[1] > timestamp:  # A2
            timestamp = row[1]
        if update is not None:
            return update(key, new, old, timestamp)
        if new is None:  # A3
            rows.delete(key, timestamp)
        elif row is None:
            rows.put(key, new, timestamp)
        else:
            row[0], row[1] = new, timestamp
            touch(key, timestamp)
        return emit(key, key, new, old, timestamp)

    return call
