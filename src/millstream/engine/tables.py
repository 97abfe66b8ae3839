"""Tables fed by a topic, and their updates as a stream (rules K1, K2, K6)."""

from __future__ import annotations

from typing import Any

from millstream.engine.emission import emitter
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.nodes import TableSource, ToStream
from millstream.state import KeyValueRows


def table_source(node: TableSource, downstream: Downstream, parts: Parts) -> NodeFunction:
    forward, metrics = downstream.forward, parts.metrics

    def unstored(key: Any, value: Any, timestamp: int) -> None:
        if key is None:
            metrics.dropped += 1
        else:
            forward(key, value, None, timestamp)

    if node.store is None:
        return unstored
    rows: KeyValueRows = parts.rows(node.store)
    emit = emitter(node.emit, downstream, parts, sends_old=node.sends_old)

    def stored(key: Any, value: Any, timestamp: int) -> None:
        if key is None:
            metrics.dropped += 1
            return
        row = rows.get(key)
        if value is None:
            rows.delete(key, timestamp)
        else:
            rows.put(key, value, timestamp)
        emit(key, key, value, None if row is None else row[0], timestamp)

    return stored


def to_stream(node: ToStream, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule K6: updates are records as they are."""
    forward = downstream.forward

    def call(key: Any, new: Any, _old: Any, timestamp: int) -> None:
        forward(key, new, timestamp)

    if node.emit == "every":
        return call
    emit = emitter(node.emit, Downstream(call, {}), parts)
    # the old value is not known here; anything but None says that there may be a row to delete
    return lambda key, new, _old, timestamp: emit(key, key, new, key, timestamp)
