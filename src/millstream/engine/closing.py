"""Windows that are emitted once, when they have closed (rules E7-E9): found in the order in which they close."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

from millstream.engine.parts import Downstream, Parts
from millstream.engine.settings import EngineSettings
from millstream.plan.nodes import Aggregate
from millstream.state import WindowRows


class EmitTimer:
    """Whether it is time to look for closed windows, by wall clock; without an interval it always is (rule E9)."""

    def __init__(self, parts: Parts) -> None:
        self._context = parts.context
        self._interval_ms = parts.settings.emit_interval_ms
        self._next_ms = 0

    def due(self) -> bool:
        if self._interval_ms:
            now = self._context.wall_ms
            if now < self._next_ms:
                return False
            self._next_ms = now + self._interval_ms
        return True


def lossless(settings: EngineSettings) -> bool:
    return settings.retention_rule == "lossless"


class WindowCloser:
    """Emits the windows of one store of time or sliding windows that end by a close time.

    `last_close` is how far they were emitted; it is kept with the committed offsets (rule F15).
    """

    def __init__(self, node: Aggregate, forward: Downstream, parts: Parts, result: Callable[[Any], Any] | None) -> None:
        self._rows: WindowRows = parts.rows(str(node.store))
        self._store = str(node.store)
        self._forward = forward.forward
        self._result = result
        self._close_times = parts.close_times
        self._timer = EmitTimer(parts)
        self._pending: list[int] = []  # a heap of starts
        self.last_close = -1
        self._rows.opened = lambda start: heappush(self._pending, start)

    def restored(self) -> None:
        """What closed before the restart was emitted before it."""
        self.last_close = self._close_times.get(self._store, -1)
        self._pending = [start for start in self._rows.starts() if start + self._rows.size_ms > self.last_close]
        heapify(self._pending)

    def close(self, close_time: int) -> None:
        """Emit what ends at close_time or before, by (start, key's bytes) (rule E8)."""
        if self._timer.due():
            self.emit(close_time)

    def next_end(self) -> int | None:
        """When the first of the windows ends that are still to be emitted."""
        return self._pending[0] + self._rows.size_ms if self._pending else None

    def emit(self, close_time: int) -> None:
        """As `close`, whatever the wall clock says."""
        size, pending = self._rows.size_ms, self._pending
        if not pending or pending[0] + size > close_time:
            return
        self.last_close = self._close_times[self._store] = close_time
        closed = []
        while pending and pending[0] + size <= close_time:
            closed.append(heappop(pending))
        encode, forward, result = self._rows.key.encode, self._forward, self._result
        for start in dict.fromkeys(closed):
            rows = [(encode(key), row) for key, row in self._rows.rows_at(start).items()]
            for _, (value, timestamp, key) in sorted(rows, key=lambda item: item[0]):
                forward(key, value if result is None else result(value), None, timestamp)
