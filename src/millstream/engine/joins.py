"""Joins of a stream with a table's rows, as they are at that moment (rules J13-J15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.function import UserFunction
from millstream.plan.nodes import GlobalJoin, TableJoin


def table_join(node: TableJoin, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule J14."""
    get, left, metrics = parts.lookup(node.table), node.left, parts.metrics
    joiner, forward, failed = _joiner(node.joiner), downstream.forward, parts.failures.processing

    def call(key: Any, value: Any, timestamp: int) -> None:
        if value is None or (key is None and not left):
            metrics.dropped += 1
            return None
        row = None if key is None else get(key)
        if row is None and not left:
            return None
        try:
            new = joiner(key, value, None if row is None else row[0])
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(key, new, timestamp)

    return call


def global_join(node: GlobalJoin, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule J15."""
    get, left, metrics = parts.global_stores[node.store].get, node.left, parts.metrics
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
