"""When a table's updates are passed on: each one (E1), or the latest of each key at the end of a round (E3, E4).

Children of tables are called with (key, new, old, timestamp): a deleted row has the new value None. `old` is what was
passed on before, where a node below asked for it (rule K3), else None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from millstream.engine.context import Place
from millstream.engine.parts import Downstream, Parts
from millstream.plan.nodes import Emit
from millstream.state import VersionedRows

# token (what tells rows apart), key, new and old value as stored (None: no row), timestamp
EmitFunction: TypeAlias = Callable[[Any, Any, Any, Any, int], None]


def emitter(
    emit: Emit,
    downstream: Downstream,
    parts: Parts,
    result: Callable[[Any], Any] | None = None,
    *,
    sends_old: bool = False,
) -> EmitFunction:
    """The function that a table's node calls for each update; `result` makes what is passed on of what is stored."""
    forward = with_results(downstream.forward, result, sends_old=sends_old)
    if emit == "latest":
        return _latest(forward, parts, downstream.vanished)

    def every(_token: Any, key: Any, new: Any, old: Any, timestamp: int) -> None:
        forward(key, new, old, timestamp)

    return every


def with_results(
    forward: Callable[..., None], result: Callable[[Any], Any] | None, *, sends_old: bool
) -> Callable[[Any, Any, Any, int], None]:
    """The children's function, given results for what is stored, and no old value unless it is asked for."""
    if result is None:
        if sends_old:
            return forward
        return lambda key, new, _old, timestamp: forward(key, new, None, timestamp)
    of = result

    def without_old(key: Any, new: Any, _old: Any, timestamp: int) -> None:
        forward(key, None if new is None else of(new), None, timestamp)

    def with_old(key: Any, new: Any, old: Any, timestamp: int) -> None:
        forward(key, None if new is None else of(new), None if old is None else of(old), timestamp)

    return with_old if sends_old else without_old


def versions(rows: VersionedRows, emit: EmitFunction, parts: Parts) -> Callable[[Any, Any, Any, int], None]:
    """Puts an update of (key, new, old, timestamp) into a versioned store and passes it on (rule K15): not if it is
    older than the history, and told as such if it is not its key's latest version.
    """
    context, metrics = parts.context, parts.metrics

    def update(key: Any, new: Any, old: Any, timestamp: int) -> None:
        latest = rows.put(key, new, timestamp)
        if latest is None:
            metrics.dropped += 1
            return
        before, context.latest = context.latest, latest
        try:
            emit(key, key, new, old, timestamp)
        finally:
            context.latest = before

    return update


def _latest(
    forward: Callable[[Any, Any, Any, int], None], parts: Parts, vanished: Sequence[Callable[[Any, int], None]]
) -> EmitFunction:
    context = parts.context
    pending: dict[Any, list[Any]] = {}  # [key, new and old value, timestamp, headers], and the place if it is asked for
    take, place = pending.pop, context.place
    nowhere: Place = (None, -1)

    def latest(token: Any, key: Any, new: Any, old: Any, timestamp: int) -> None:
        held = take(token, None)  # and in again at the end: rule E3's order is by last update
        if held is None:
            pending[token] = [key, new, old, timestamp, context.headers, nowhere]
        else:
            held[1], held[3], held[4] = new, timestamp, context.headers
            pending[token] = held

    def placed(token: Any, key: Any, new: Any, old: Any, timestamp: int) -> None:
        latest(token, key, new, old, timestamp)
        pending[token][5] = place()

    def flush() -> None:
        updates, done = list(pending.items()), 0
        pending.clear()
        try:
            for _, (key, new, old, timestamp, headers, (rows, row)) in updates:
                context.headers, context.timestamp, context.rows, context.row = headers, timestamp, rows, row
                if new is not None or old is not None:
                    forward(key, new, old, timestamp)
                else:
                    for tell in vanished:
                        tell(key, timestamp)
                done += 1
        finally:  # where one fails, it and those after it are still to be passed on: a commit must not go past them
            pending.update(updates[done:])
            context.headers, context.rows, context.row = (), None, -1

    parts.flushes.append(flush)
    return placed if parts.wants_places else latest
