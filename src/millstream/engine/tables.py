"""Tables fed by a topic (rule K1). Updates are passed on as (key, value, timestamp), a delete with the value None."""

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
            forward(key, value, timestamp)

    if node.store is None:
        return unstored
    rows: KeyValueRows = parts.rows(node.store)
    emit = emitter(node.emit, downstream, parts)

    def stored(key: Any, value: Any, timestamp: int) -> None:
        if key is None:
            metrics.dropped += 1
            return
        existed = rows.get(key) is not None
        if value is None:
            rows.delete(key, timestamp)
        else:
            rows.put(key, value, timestamp)
        emit(key, key, value, timestamp, existed)

    return stored


def to_stream(node: ToStream, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule K6: updates are records as they are."""
    if node.emit == "every":
        return downstream.forward
    emit = emitter(node.emit, downstream, parts)
    return lambda key, value, timestamp: emit(key, key, value, timestamp, True)
