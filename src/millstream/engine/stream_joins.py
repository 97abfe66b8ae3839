"""Joins of two streams: each side's node, and the node that keeps its records (rules J1-J12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.function import UserFunction
from millstream.plan.stream_joins import JoinRow, StreamJoin
from millstream.state import JoinRows, ParkedRow, ParkedRows
from millstream.state.parked import LEFT, RIGHT

FAILED: Any = object()


def join_row(node: JoinRow, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule J6."""
    rows: JoinRows = parts.rows(node.store)
    forward, put = downstream.forward, rows.put

    def call(key: Any, value: Any, timestamp: int) -> None:
        forward(key, value, timestamp)
        if key is not None and value is not None:
            put(key, value, timestamp)

    return call


def stream_join(node: StreamJoin, downstream: Downstream, parts: Parts) -> NodeFunction:
    other: JoinRows = parts.rows(node.looked_up)
    if node.parked is None:
        return _inner(node, other, downstream, parts)
    return _outer(node, other, downstream, parts)


def _inner(node: StreamJoin, other: JoinRows, downstream: Downstream, parts: Parts) -> NodeFunction:
    between, forward, metrics, failed = other.between, downstream.forward, parts.metrics, parts.failures.processing
    joiner = _joiner(node.joiner, right=node.right)
    back, ahead = _reach(node)

    def call(key: Any, value: Any, timestamp: int) -> None:
        if key is None or value is None:  # J2
            metrics.dropped += 1
            return
        for when, partner in between(key, timestamp - back, timestamp + ahead):  # J4
            try:
                new = joiner(key, value, partner)
            except Exception as error:
                failed(node.name, node.site, error)
                return
            forward(key, new, when if when > timestamp else timestamp)

    return call


def _outer(node: StreamJoin, other: JoinRows, downstream: Downstream, parts: Parts) -> NodeFunction:
    between, forward, metrics = other.between, downstream.forward, parts.metrics
    parked: ParkedRows = parts.rows(str(node.parked))
    join = _guarded(_joiner(node.joiner, right=node.right), node, parts)
    alone = tuple(_guarded(_alone(node.joiner, side), node, parts) for side in (RIGHT, LEFT))
    this_side, other_side = (RIGHT, LEFT) if node.right else (LEFT, RIGHT)
    outer, unpark, go_alone = node.outer, parked.unpark, alone[this_side]
    back, ahead = _reach(node)
    waits = (node.window.before_ms + node.window.grace_ms, node.window.after_ms + node.window.grace_ms)
    wait = waits[this_side]
    context, interval_ms = parts.context, parts.settings.emit_interval_ms

    def pass_due(now: int) -> bool:
        """Rule J8; whether the record may go on."""
        if wait <= 0 if parked.min_time is None else parked.min_time + wait >= now:
            return True  # where minTs is unset, Kafka Streams' sum overflows and it looks, unless it has nothing to add
        if interval_ms:  # E9
            if context.wall_ms < parked.next_look_ms:
                return True
            parked.next_look_ms = context.wall_ms + interval_ms
        for row in parked.due(waits, now):
            new = alone[row.side](row.key, row.value)
            if new is FAILED:
                return False
            forward(row.key, new, row.timestamp)
        return True

    def meet(key: Any, value: Any, timestamp: int) -> None:
        last = max(timestamp + ahead, 0)
        found = between(key, timestamp - back, last)
        for when, partner in found:  # J4
            unpark(other_side, key, when, timestamp)
            new = join(key, value, partner)
            if new is FAILED:
                return
            forward(key, new, when if when > timestamp else timestamp)
        if not outer or found:
            return
        if last >= parked.stream_time:  # J5
            parked.park(ParkedRow(timestamp, this_side, key, value))
            return
        new = go_alone(key, value)
        if new is not FAILED:
            forward(key, new, timestamp)

    def call(key: Any, value: Any, timestamp: int) -> None:
        if timestamp > parked.stream_time:  # J1
            parked.stream_time = timestamp
        if value is None or (key is None and not outer):  # J2
            metrics.dropped += 1
        elif key is None:
            new = go_alone(key, value)
            if new is not FAILED:
                forward(key, new, timestamp)
        elif timestamp < parked.stream_time or pass_due(timestamp):  # J3
            meet(key, value, timestamp)

    def pass_time(time: int) -> None:
        """Time goes on without records: what is due goes on alone, whatever J9 would still put off."""
        parked.stream_time = max(parked.stream_time, time)
        for row in parked.due(waits, time):
            new = alone[row.side](row.key, row.value)
            if new is not FAILED:
                forward(row.key, new, row.timestamp)

    def next_due() -> int | None:
        return parked.next_due(waits)

    watching = parts.watching.get(parked.name)  # both sides have one time
    if watching is None:
        watching = parts.idle_timer(node.window.idle_after_ms, lambda: parked.stream_time, next_due, pass_time)
        parts.watching[parked.name] = watching

    def start() -> None:
        """Restored rows tell the time that the join had seen at least (Z7)."""
        parked.stream_time = max(parked.stream_time, other.newest, parked.newest())

    parts.starts.append(start)
    return watching(call)


def _reach(node: StreamJoin) -> tuple[int, int]:
    """How far before and after a record of this side its partners lie."""
    before, after = node.window.before_ms, node.window.after_ms
    return (after, before) if node.right else (before, after)


def _joiner(fn: UserFunction, *, right: bool) -> Callable[[Any, Any, Any], Any]:
    """The user's function as one of (key, this side's value, the other's)."""
    call = fn.call
    if fn.with_key:
        return (lambda key, value, other: call(key, other, value)) if right else call
    if right:
        return lambda _key, value, other: call(other, value)
    return lambda _key, value, other: call(value, other)


def _alone(fn: UserFunction, side: int) -> Callable[[Any, Any], Any]:
    """The user's function for a row of that side without a partner."""
    join = _joiner(fn, right=side == RIGHT)
    return lambda key, value: join(key, value, None)


def _guarded(fn: Callable[..., Any], node: StreamJoin, parts: Parts) -> Callable[..., Any]:
    """FAILED where the user's function raises and the record is to be skipped."""
    failed = parts.failures.processing

    def call(*args: Any) -> Any:
        try:
            return fn(*args)
        except Exception as error:
            failed(node.name, node.site, error)
            return FAILED

    return call
