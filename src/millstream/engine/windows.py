"""Aggregation by key and time window, tumbling and hopping (rules W1-W5)."""

from __future__ import annotations

from typing import Any

from millstream.engine.emission import emitter
from millstream.engine.folds import fold_for, old_of_none
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.nodes import Aggregate
from millstream.plan.windows import TimeWindows
from millstream.state import WindowRows


def windowed_aggregate(node: Aggregate, windows: TimeWindows, downstream: Downstream, parts: Parts) -> NodeFunction:
    store: WindowRows = parts.rows(str(node.store))
    fold = fold_for(node.aggregation)
    emit = emitter(node.emit, downstream, parts, fold.result, sends_old=node.sends_old)
    first, then = fold.first, fold.then
    size, advance = windows.size_ms, windows.advance_ms
    kept = size + windows.grace_ms
    none = old_of_none(fold, node)
    metrics, failed = parts.metrics, parts.failures.processing
    segment_of, row = store.segment, store.row
    stream_time = -1  # observed by this operator (rule T5)

    def start() -> None:
        """A restored store has seen at least its newest row; without this late records would count again (Z7)."""
        nonlocal stream_time
        stream_time = store.newest()

    def update(key: Any, value: Any, timestamp: int, begin: int) -> bool:
        """Whether the record goes on to its next window."""
        if begin + kept <= stream_time:  # W3
            metrics.late += 1
            return True
        segment = segment_of(begin)
        entry = segment.rows.get(key)
        try:
            old = none() if entry is None else entry[0]
            new = first(key, value) if entry is None else then(key, value, old)
        except Exception as error:
            failed(node.name, node.site, error)
            return False
        if entry is not None and entry[1] > timestamp:  # W4
            timestamp = entry[1]
        segment.dirty[key] = timestamp
        if entry is None:
            entry = row(key, begin, new, timestamp)
            if new is not None:
                segment.rows[key] = entry
            emit((begin, key), entry[2], new, old, timestamp)
            return True
        entry[0], entry[1] = new, timestamp
        if new is None:
            del segment.rows[key]
        emit((begin, key), entry[2], new, old, timestamp)
        return True

    def tumbling(key: Any, value: Any, timestamp: int) -> None:
        nonlocal stream_time
        if key is None:  # W2
            metrics.dropped += 1
            return
        if timestamp > stream_time:
            stream_time = timestamp
        update(key, value, timestamp, timestamp - timestamp % size)

    def hopping(key: Any, value: Any, timestamp: int) -> None:
        nonlocal stream_time
        if key is None:
            metrics.dropped += 1
            return
        if timestamp > stream_time:
            stream_time = timestamp
        for begin in range(max(0, timestamp - size + advance) // advance * advance, timestamp + 1, advance):  # W1
            if not update(key, value, timestamp, begin):
                break

    parts.starts.append(start)
    return tumbling if advance == size else hopping
