"""Joins of two tables on the same key: each side's update meets the other side's row (rules J19-J24)."""

from __future__ import annotations

from typing import Any

from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.tables import stored_updates
from millstream.plan.tables import TableMerge, TableTableJoin


def table_table_join(node: TableTableJoin, downstream: Downstream, parts: Parts) -> NodeFunction:
    other_row, forward, failed = parts.lookup(node.other), downstream.forward, parts.failures.processing
    fn, right, sends_old = node.joiner.call, node.right, node.sends_old
    with_key, metrics, context = node.joiner.with_key, parts.metrics, parts.context

    def joined(key: Any, mine: Any, theirs: Any) -> Any:
        sides = (theirs, mine) if right else (mine, theirs)
        return fn(key, *sides) if with_key else fn(*sides)

    def inner(key: Any, new: Any, old: Any, theirs: Any) -> tuple[Any, Any] | None:
        if theirs is None:  # J19
            return None
        return (
            None if new is None else joined(key, new, theirs),
            joined(key, old, theirs) if sends_old and old is not None else None,
        )

    def left(key: Any, new: Any, old: Any, theirs: Any) -> tuple[Any, Any] | None:
        if theirs is None and new is None and old is None:  # J20
            return None
        return (
            None if new is None else joined(key, new, theirs),
            joined(key, old, theirs) if sends_old and old is not None else None,
        )

    def right_of_left(key: Any, new: Any, old: Any, theirs: Any) -> tuple[Any, Any] | None:
        if theirs is None:  # J21
            return None
        return joined(key, new, theirs), joined(key, old, theirs) if sends_old else None

    def outer(key: Any, new: Any, old: Any, theirs: Any) -> tuple[Any, Any] | None:
        if theirs is None and new is None and old is None:  # J22
            return None
        return (
            None if new is None and theirs is None else joined(key, new, theirs),
            joined(key, old, theirs) if sends_old and (old is not None or theirs is not None) else None,
        )

    meet = {"inner": inner, "left": right_of_left if right else left, "outer": outer}[node.kind]

    def call(key: Any, new: Any, old: Any, timestamp: int) -> None:
        if not context.latest:  # J25
            return
        if key is None:
            metrics.dropped += 1
            return
        try:
            row = other_row(key)
            result = meet(key, new, old, None if row is None else row[0])
        except Exception as error:
            failed(node.name, node.site, error)
            return
        if result is not None:
            forward(key, *result, timestamp if row is None else max(timestamp, row[1]))

    return call


def table_merge(node: TableMerge, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Both sides' results as one table, in a store if it was given one.

    Each update brings its own old value, which is not always what was stored: where both sides change with one record,
    each of them joins its old value with the other's new one.
    """
    if node.store is None:
        return downstream.forward
    put = stored_updates(node, downstream, parts, own_old=node.emit == "every")
    return lambda key, new, old, timestamp: put(key, new, timestamp, old)
