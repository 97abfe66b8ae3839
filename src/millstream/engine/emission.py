"""When a table's updates are passed on: each one (E1), or the latest of each key at the end of a round (E3, E4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from millstream.engine.parts import Downstream, Parts
from millstream.plan.nodes import Emit

# token (what tells rows apart), key, aggregate (None: deleted), timestamp, whether there was a row before
EmitFunction: TypeAlias = Callable[[Any, Any, Any, int, bool], None]


def emitter(
    emit: Emit, downstream: Downstream, parts: Parts, result: Callable[[Any], Any] | None = None
) -> EmitFunction:
    """The function that a table's node calls for each update; `result` makes what is passed on of what is stored."""
    forward, context = downstream.forward, parts.context

    def every(_token: Any, key: Any, value: Any, timestamp: int, _existed: bool) -> None:
        forward(key, value, timestamp)

    def every_result(_token: Any, key: Any, value: Any, timestamp: int, _existed: bool) -> None:
        forward(key, None if value is None else of(value), timestamp)

    pending: dict[Any, tuple[Any, Any, int, bool, Any]] = {}

    def latest(token: Any, key: Any, value: Any, timestamp: int, existed: bool) -> None:
        before = pending.pop(token, None)  # and in again at the end: rule E3's order is by last update
        pending[token] = (key, value, timestamp, existed if before is None else before[3], context.headers)

    def flush() -> None:
        updates = list(pending.values())
        pending.clear()
        for key, value, timestamp, existed, headers in updates:
            if value is None and not existed:
                continue
            context.headers, context.timestamp = headers, timestamp
            forward(key, None if value is None else of(value), timestamp)
        context.headers = ()

    of = result or (lambda value: value)
    if emit == "latest":
        parts.flushes.append(flush)
        return latest
    return every if result is None else every_result
