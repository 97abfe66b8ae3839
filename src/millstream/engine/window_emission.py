"""When a window's updates are passed on: each one (E1), or the latest of each window at the end of a round (E3, E4).

The row of a window has all that there is to tell but the value before: its value, timestamp, key and window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from millstream.engine.context import Place
from millstream.engine.emission import with_results
from millstream.engine.parts import Downstream, Parts
from millstream.model import Headers
from millstream.plan.nodes import Aggregate
from millstream.serde import Windowed
from millstream.state.keyvalue import Row
from millstream.state.window import windowed_key

# a row that was updated, and the value that it had before; its value is None now if it was deleted
RowFunction: TypeAlias = Callable[[Row, Any], None]


def window_emitter(
    node: Aggregate, downstream: Downstream, parts: Parts, result: Callable[[Any], Any] | None
) -> RowFunction:
    """The function that a table's node calls for each update; `result` makes what is passed on of what is stored."""
    latest = node.emit == "latest"
    tell = _telling(downstream, result, sends_old=node.sends_old, keep=not latest)
    return _latest(tell, parts, downstream.vanished) if latest else tell


def _telling(
    downstream: Downstream, result: Callable[[Any], Any] | None, *, sends_old: bool, keep: bool
) -> RowFunction:
    """Passes on one update. With `keep` a row's windowed key is made once, and not each time."""
    forward, apart = with_results(downstream.forward, result, sends_old=sends_old), downstream.apart

    def whole(row: Row, old: Any) -> None:
        forward(Windowed(row[2], row[3]), row[0], old, row[1])

    def kept(row: Row, old: Any) -> None:
        forward(windowed_key(row), row[0], old, row[1])

    if apart is None:
        return kept if keep else whole
    put = apart
    if result is None:
        return lambda row, _old: put(row[2], row[3], row[0], row[1])
    of = result

    def in_parts(row: Row, _old: Any) -> None:
        value, timestamp, key, window, _ = row
        put(key, window, None if value is None else of(value), timestamp)

    return in_parts


def _latest(tell: RowFunction, parts: Parts, vanished: Sequence[Callable[[Any, int], None]]) -> RowFunction:
    """A row that waits notes its place among those that do: so nothing is looked up, where it comes again."""
    context, place = parts.context, parts.context.place
    rows: list[Row | None] = []  # by last update (rule E3): None where a row came again later
    olds: list[Any] = []  # the value of each before the round
    headers: list[Headers] = []
    places: list[Place] = []  # if it is asked for
    deleted: dict[tuple[Any, Any], Row] = {}  # in this round: a window that is there again has another row

    def latest(row: Row, old: Any) -> None:
        known = deleted.pop((row[2], row[3]), row) if deleted else row
        at = known[4]
        if at is not None and at < len(rows) and rows[at] is known:
            rows[at] = None
            old = olds[at]
        row[4] = len(rows)
        rows.append(row)
        olds.append(old)
        headers.append(context.headers)
        if row[0] is None:
            deleted[row[2], row[3]] = row

    def placed(row: Row, old: Any) -> None:
        latest(row, old)
        places.append(place())

    def flush() -> None:
        done = 0
        try:
            for row in rows:
                if row is not None:
                    context.headers, context.timestamp = headers[done], row[1]
                    if places:
                        context.rows, context.row = places[done]
                    if row[0] is not None or olds[done] is not None:
                        tell(row, olds[done])
                    else:
                        for each in vanished:
                            each(Windowed(row[2], row[3]), row[1])
                done += 1
        finally:  # where one fails, it and those after it are still to be passed on: a commit must not go past them
            for column in (rows, olds, headers, places):
                del column[:done]
            for at, row in enumerate(rows):
                if row is not None:
                    row[4] = at
            if not rows:
                deleted.clear()
            context.headers, context.rows, context.row = (), None, -1

    parts.flushes.append(flush)
    return placed if parts.wants_places else latest
