"""Tables: fed by a topic or a stream, filtered, mapped; their updates as a stream (rules K1, K2, K4-K6)."""

from __future__ import annotations

from typing import Any

from millstream.engine.emission import EmitFunction, emitter, versions
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.nodes import TableNode, TableSource, ToStream
from millstream.plan.tables import TableFilter, TableMapValues
from millstream.state import KeyValueRows, VersionedRows


def table_source(node: TableSource, downstream: Downstream, parts: Parts) -> NodeFunction:
    forward, metrics = downstream.forward, parts.metrics

    def unstored(key: Any, value: Any, timestamp: int) -> None:
        if key is None:
            metrics.dropped += 1
        else:
            forward(key, value, None, timestamp)

    if node.store is None:
        return unstored
    put = stored_updates(node, downstream, parts)

    def stored(key: Any, value: Any, timestamp: int) -> None:
        if key is None:
            metrics.dropped += 1
        else:
            put(key, value, timestamp)

    return stored


def stored_updates(node: TableNode, downstream: Downstream, parts: Parts, *, own_old: bool = False) -> NodeFunction:
    """Puts each new value into the node's store and passes the update on, with the value that was stored as the old.

    With `own_old` the old value is what the update brings along as its fourth argument.
    """
    rows: KeyValueRows | VersionedRows = parts.rows(str(node.store))
    emit: EmitFunction = emitter(node.emit, downstream, parts, sends_old=node.sends_old)
    context = parts.context
    if isinstance(rows, VersionedRows):
        update = versions(rows, emit, parts)

        def put_version(key: Any, value: Any, timestamp: int, old: Any = None) -> None:
            if not own_old:
                row = rows.get(key)
                old = None if row is None else row[0]
            update(key, value, old, timestamp)

        return put_version

    def put(key: Any, value: Any, timestamp: int, old: Any = None) -> None:
        row = rows.get(key)
        if not own_old:
            old = None if row is None else row[0]
        if value is None:
            rows.delete(key, timestamp)
        else:
            rows.put(key, value, timestamp)
        latest, context.latest = context.latest, True  # a plain store knows one version, which is the latest
        try:
            emit(key, key, value, old, timestamp)
        finally:
            context.latest = latest

    return put


def table_filter(node: TableFilter, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule K4."""
    passes, negated, failed = node.predicate.by_key_and_value, node.negated, parts.failures.processing
    sends_old, forward = node.sends_old, downstream.forward
    put = None if node.store is None else stored_updates(node, downstream, parts)
    # of a versioned table an update that is out of order has no old value, though there may be something below
    quiet = sends_old and not parts.is_versioned(node.parents[0])

    vanished = downstream.vanished if parts.holds_back(node.parents[0]) else ()

    def kept(key: Any, value: Any) -> Any:
        return value if value is not None and bool(passes(key, value)) is not negated else None

    def call(key: Any, new: Any, old: Any, timestamp: int) -> None:
        try:
            new = kept(key, new)
            if put is None and sends_old:
                old = kept(key, old)
        except Exception as error:
            return failed(node.name, node.site, error)
        if put is not None:
            if quiet and new is None and rows.get(key) is None:
                return None
            return put(key, new, timestamp)
        if quiet and new is None and old is None:
            for tell in vanished:
                tell(key, timestamp)
            return None
        return forward(key, new, old if sends_old else None, timestamp)

    if node.store is not None:
        rows: KeyValueRows = parts.rows(node.store)
    return call


def table_map_values(node: TableMapValues, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule K5."""
    mapper, failed = node.mapper.by_key_and_value, parts.failures.processing
    sends_old, forward = node.sends_old, downstream.forward
    put = None if node.store is None else stored_updates(node, downstream, parts)

    def call(key: Any, new: Any, old: Any, timestamp: int) -> None:
        try:
            new = None if new is None else mapper(key, new)
            old = mapper(key, old) if sends_old and put is None and old is not None else None
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(key, new, old, timestamp) if put is None else put(key, new, timestamp)

    return call


def to_stream(node: ToStream, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule K6: updates are records as they are."""
    forward = downstream.forward

    def call(key: Any, new: Any, _old: Any, timestamp: int) -> None:
        forward(key, new, timestamp)

    if node.emit == "every":
        if downstream.apart is not None:
            parts.apart[node.name] = downstream.apart
        return call

    emit = emitter(node.emit, Downstream(call, {}), parts)
    # a table's delete is told like any other update, so there is always something below
    return lambda key, new, _old, timestamp: emit(key, key, new, key, timestamp)
