"""Suppression: a table's updates wait in a buffer until their time has come (rules E11-E15)."""

from __future__ import annotations

from typing import Any

from millstream.engine.context import NOWHERE
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.rows import place_of
from millstream.errors import ProcessingError
from millstream.plan.nodes import Aggregate, TableNode
from millstream.plan.suppress import Suppress
from millstream.plan.tables import TableTableJoin
from millstream.state.suppress import Held, SuppressRows


def suppress(node: Suppress, downstream: Downstream, parts: Parts) -> NodeFunction:
    buffer = Buffer(node, downstream, parts)
    parts.starts.append(buffer.start)
    return buffer.watching(buffer.update)


class Buffer:
    """One task's buffer. Its time is that of the updates that came to it (rule T5)."""

    def __init__(self, node: Suppress, downstream: Downstream, parts: Parts) -> None:
        self._node = node
        self._rows: SuppressRows = parts.rows(node.buffer)
        self._forward = downstream.forward
        self._context = parts.context
        self._times = parts.close_times
        self._places = parts.wants_places
        self._time = -1
        self._above = _windowed_above(node, parts)
        self._clocks = parts.clocks
        self.watching = parts.idle_timer(node.idle_after_ms, lambda: self._time, self._next_due, self._pass_time)
        bounds = node.bounds
        self._most_records, self._most_bytes = bounds.max_records, bounds.max_bytes
        if bounds.max_bytes is not None:
            self._rows.count_bytes()

    def start(self) -> None:
        """The buffer's time is kept with the committed offsets, so that what was late before a restart is so after."""
        self._time = max(self._rows.newest(), self._times.get(self._node.buffer, -1))

    def _next_due(self) -> int | None:
        """One ms later where windows close: their last ms belongs to them still (rule E13)."""
        first = self._rows.first_time
        return None if first is None else first + self._node.wait_ms + self._node.window_close

    def _pass_time(self, time: int) -> None:
        """Time goes on without records: for the windows too, whose updates would come after their last one else."""
        if time > self._time:
            self._time = self._times[self._node.buffer] = time
        for name in self._above:
            self._clocks[name](time)
        self._emit_due()

    def update(self, key: Any, new: Any, old: Any, timestamp: int) -> None:
        if timestamp > self._time:
            self._time = self._times[self._node.buffer] = timestamp
        rows, row = self._context.place()
        source, offset = (NOWHERE, -1) if rows is None else (rows.source, rows.offsets[row])
        held = Held(key, new, old, old, timestamp, self._context.headers, source, offset)
        self._rows.put(key.window.end if self._node.window_close else timestamp, held)
        self._emit_due()
        while self._full():
            if self._node.bounds.shut_down:
                raise ProcessingError(
                    f"{self._node.site}: the buffer of {self._node.name} is full, with {len(self._rows)} keys; give it "
                    "more room, or let it emit early"
                )
            self._emit()

    def _emit_due(self) -> None:
        due = self._time - self._node.wait_ms
        while (first := self._rows.first_time) is not None and first <= due:
            self._emit()

    def _full(self) -> bool:
        """Rule E14."""
        if self._most_records is not None and len(self._rows) > self._most_records:
            return True
        return self._most_bytes is not None and self._rows.bytes > self._most_bytes

    def _emit(self) -> None:
        """The first in order, with its own headers; of closed windows no tombstones (rule E13).

        Its old value is the one before its last update, whether that was passed on or not, as in Kafka Streams.
        """
        held = self._rows.first()
        if held.new is not None or not self._node.window_close:
            self._pass_on(held)
        self._rows.remove_first()  # only now: while it is passed on, look-ups still find what was there before

    def _pass_on(self, held: Held) -> None:
        context = self._context
        headers, timestamp, rows, row = context.headers, context.timestamp, context.rows, context.row
        context.headers, context.timestamp = held.headers, held.timestamp
        if self._places:
            context.rows, context.row = place_of(held.source, held.offset, held.timestamp), 0
        try:
            self._forward(held.key, held.new, held.old if self._node.sends_old else None, held.timestamp)
        finally:
            context.headers, context.timestamp, context.rows, context.row = headers, timestamp, rows, row


def _windowed_above(node: Suppress, parts: Parts) -> list[str]:
    """The aggregations whose windows are held back."""
    found: list[str] = []
    waiting = list(node.parents) if node.window_close else []
    while waiting:
        above = parts.nodes[waiting.pop()]
        if isinstance(above, Aggregate) and above.windows is not None:
            found.append(above.name)
        elif isinstance(above, TableNode | TableTableJoin):
            waiting += above.parents
    return found
