"""Windows that are emitted once, when they have closed (rules E7-E9): found in the order in which they close."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.engine.parts import Downstream, Parts
from millstream.engine.settings import EngineSettings
from millstream.plan.nodes import Aggregate
from millstream.serde import Windowed
from millstream.state import WindowRows


class EmitTimer:
    """Whether it is time to look for closed windows, by wall clock; without an interval it always is (rule E9)."""

    def __init__(self, parts: Parts) -> None:
        self._context = parts.context
        self._interval_ms = parts.settings.emit_interval_ms
        self._next_ms = 0

    def throttled(self, look: Callable[[int], None]) -> Callable[[int], None]:
        """The function, called when it is time; without an interval the function itself."""
        if not self._interval_ms:
            return look

        def at_times(close_time: int) -> None:
            if self.due():
                look(close_time)

        return at_times

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
        self.close = EmitTimer(parts).throttled(self.emit)  # what has closed by a record
        self._next: int | None = None  # the first start that is not closed; at it nothing may be left by now
        self.last_close = -1
        self._rows.watch = self._opened

    def restored(self) -> None:
        """What closed before the restart was emitted before it."""
        self.last_close = self._close_times.get(self._store, -1)
        self._next = self._rows.next_start(self.last_close - self._rows.size_ms)

    def _opened(self, start: int) -> None:
        if self._next is None or start < self._next:
            self._next = start

    def next_end(self) -> int | None:
        """When the first of the windows ends that are still to be emitted."""
        return None if self._next is None else self._next + self._rows.size_ms

    def emit(self, close_time: int) -> None:
        """Emit what ends at close_time or before, by (start, key's bytes) (rule E8)."""
        size, start = self._rows.size_ms, self._next
        if start is None or start + size > close_time:
            return
        self.last_close = self._close_times[self._store] = close_time
        forward, result = self._forward, self._result
        while start is not None and start + size <= close_time:
            for _, _, (value, timestamp, key, window, _) in self._rows.in_key_order(start):
                forward(Windowed(key, window), value if result is None else result(value), None, timestamp)
            start = self._rows.next_start(start)
        self._next = start
