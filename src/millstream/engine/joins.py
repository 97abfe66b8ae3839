"""Joins of a stream with a table's rows, as they are at that moment (rules J13-J15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.engine.context import NOWHERE, TaskContext
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.rows import place_of
from millstream.model import TopicPartition
from millstream.plan.function import UserFunction
from millstream.plan.nodes import GlobalJoin, TableJoin
from millstream.state import JoinBufferRows, Waiting


def table_join(node: TableJoin, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rules J14 and J16."""
    row_of, left, metrics = parts.lookup(node.table), node.left, parts.metrics
    joiner, forward, failed = _joiner(node.joiner), downstream.forward, parts.failures.processing
    versioned = parts.is_versioned(node.table)

    def call(key: Any, value: Any, timestamp: int) -> None:
        if value is None or (key is None and not left):
            metrics.dropped += 1
            return None
        try:
            row = None if key is None else row_of(key, timestamp) if versioned else row_of(key)
            if row is None and not left:
                return None
            new = joiner(key, value, None if row is None else row[0])
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(key, new, timestamp)

    return call if node.buffer is None else _buffered(node, call, parts)


def _buffered(node: TableJoin, join: NodeFunction, parts: Parts) -> NodeFunction:
    """Rule J17: records wait until the stream is the grace ahead of them, and then meet the rows of their own time."""
    waiting: JoinBufferRows = parts.rows(str(node.buffer))
    context, metrics, grace_ms, left = parts.context, parts.metrics, node.grace_ms, node.left
    places = parts.wants_places
    stream_time = -1

    def start() -> None:
        nonlocal stream_time
        stream_time = waiting.newest()

    def call(key: Any, value: Any, timestamp: int) -> None:
        nonlocal stream_time
        if key is None or value is None:
            if value is None or not left:
                metrics.dropped += 1
            else:
                join(key, value, timestamp)
            return
        if timestamp < stream_time - grace_ms:
            join(key, value, timestamp)
            return
        stream_time = max(stream_time, timestamp)
        waiting.add(Waiting(key, value, timestamp, context.headers, *_place(context)))
        join_due()

    def join_due() -> None:
        headers, rows, row = context.headers, context.rows, context.row
        try:
            for record in waiting.due(stream_time - grace_ms):
                context.headers = record.headers
                if places:
                    context.rows, context.row = place_of(record.source, record.offset, record.timestamp), 0
                join(record.key, record.value, record.timestamp)
        finally:
            context.headers, context.rows, context.row = headers, rows, row

    def pass_time(time: int) -> None:
        nonlocal stream_time
        stream_time = max(stream_time, time)
        join_due()

    def next_due() -> int | None:
        first = waiting.first_time
        return None if first is None else first + grace_ms

    watching = parts.idle_timer(None, lambda: stream_time, next_due, pass_time)
    parts.starts.append(start)
    return watching(call)


def _place(context: TaskContext) -> tuple[TopicPartition, int]:
    """Where the record at hand came from; records of a punctuation have no place."""
    rows, row = context.place()
    return (NOWHERE, -1) if rows is None else (rows.source, rows.offsets[row])


def global_join(node: GlobalJoin, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule J15."""
    rows: Any = parts.global_stores[node.store]
    get, left, metrics = rows.get, node.left, parts.metrics
    joiner, forward, failed = _joiner(node.joiner), downstream.forward, parts.failures.processing
    key_of = node.key.by_key_and_value

    def call(key: Any, value: Any, timestamp: int) -> None:
        if value is None:
            metrics.dropped += 1
            return None
        try:
            wanted = key_of(key, value)
            if wanted is None and not left:
                metrics.dropped += 1
                return None
            row = None if wanted is None else get(wanted)
            if row is None and not left:
                return None
            new = joiner(key, value, None if row is None else row[0])
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(key, new, timestamp)

    return call


def _joiner(fn: UserFunction) -> Callable[[Any, Any, Any], Any]:
    call = fn.call
    return call if fn.with_key else lambda _key, value, row: call(value, row)
