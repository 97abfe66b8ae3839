"""Aggregation by key and sliding window: one for each way in which records lie close together (rules W6-W10)."""

from __future__ import annotations

from typing import Any

from millstream.engine.closing import WindowCloser, lossless
from millstream.engine.emission import emitter
from millstream.engine.folds import fold_for
from millstream.engine.late import late_records
from millstream.engine.merging import merging_for
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.nodes import Aggregate
from millstream.plan.windows import SlidingWindows
from millstream.state import WindowRows


def sliding_aggregate(node: Aggregate, windows: SlidingWindows, downstream: Downstream, parts: Parts) -> NodeFunction:
    walk = SlidingAggregate(node, windows, downstream, parts)
    parts.starts.append(walk.start)
    return walk.watching(walk.process)


class SlidingAggregate:
    """One task's sliding windows. A window's timestamp is the largest of its records (rule W8)."""

    def __init__(self, node: Aggregate, windows: SlidingWindows, downstream: Downstream, parts: Parts) -> None:
        self._node = node
        self._rows: WindowRows = parts.rows(str(node.store))
        self._width = windows.difference_ms
        self._grace = windows.grace_ms
        self._merging = merging_for(node.aggregation)
        self._emit = emitter(node.emit, downstream, parts, self._merging.result, sends_old=node.sends_old)
        self._tells_empty = node.emit == "every"  # old values of nothing: Kafka Streams', though only without a cache
        self._closer = WindowCloser(node, downstream, parts, self._merging.result) if node.on_close else None
        self._metrics, self._failed = parts.metrics, parts.failures.processing
        self._late = late_records(downstream, fold_for(node.aggregation))
        self._taken = False  # by any window, the record at hand
        self._time = -1  # observed by this operator (rule T5)
        self._times = parts.close_times
        parts.clocks[node.name] = self.pass_time
        due = None if self._closer is None else self._next_close
        self.watching = parts.idle_timer(node.idle_after_ms, lambda: self._time, due, self.pass_time)
        if lossless(parts.settings):
            self._rows.limits.append(self._limit)

    def start(self) -> None:
        """A restored store has seen at least its newest row."""
        self._time = self._rows.newest()
        if self._closer is None:
            self._time = max(self._time, self._times.get(str(self._node.store), -1))
        else:
            self._closer.restored()
            if self._closer.last_close >= 0:
                self._time = max(self._time, self._closer.last_close + self._grace + 1)

    def pass_time(self, time: int) -> None:
        """Time goes on without records."""
        self._time = max(self._time, time)
        if self._closer is not None:
            self._closer.emit(self._time - self._grace - 1)
        else:
            self._times[str(self._node.store)] = self._time

    def _next_close(self) -> int | None:
        end = None if self._closer is None else self._closer.next_end()
        return None if end is None else end + self._grace + 1

    def _limit(self) -> int:
        """A record that is just not late walks windows that start up to twice the difference before it (rule W8)."""
        needed = min(self._time - self._grace - 3 * self._width, self._time - self._rows.retention_ms) - 1
        return needed if self._closer is None else min(needed, self._closer.last_close - self._width)

    def process(self, key: Any, value: Any, timestamp: int) -> None:
        if key is None or value is None:  # W6
            self._metrics.dropped += 1
            return
        if timestamp > self._time:
            self._time = timestamp
        if timestamp + self._width < self._time - self._grace:  # W7
            self._metrics.late += 1
            self._late(key, value, timestamp)
            return
        self._taken = False
        try:
            if timestamp < self._width:
                self._early(key, value, timestamp)
            else:
                self._walk(key, value, timestamp)
        except UpdateFailedError as stop:
            self._failed(self._node.name, self._node.site, stop.error)
        else:
            if not self._taken:
                self._late(key, value, timestamp)
            if timestamp < self._width:
                return
        if self._closer is not None:
            self._closer.close(self._time - self._grace - 1)  # E7: the end must lie before it

    def _walk(self, key: Any, value: Any, at: int) -> None:
        """Rules W8 and W9."""
        width, rows = self._width, self._rows
        found: set[int] = set()
        right: tuple[Any, int] | None = None  # of the next window to the right, before this record
        left: Any = None
        previous: int | None = None
        for start in reversed(rows.starts_of(key, max(0, at - 2 * width), at + 1)):
            row = rows.find(key, start)
            assert row is not None
            before, newest = row[0], row[1]
            found.add(start)
            if start + width < at:
                left, previous = before, newest
                break
            if start + width > at and start <= at and right is None:
                right = (before, newest)
            if start <= at:
                self._extend(key, value, at, start)
            if start + width == at:
                if newest >= at:
                    return
                previous = newest
        if previous is not None and previous + 1 not in found and previous + 1 + width >= at:
            self._put(key, value, at, previous + 1)
        if at - width not in found:
            self._put(key, value, at, at - width, left if previous is not None and previous >= at - width else None)
        if at + 1 not in found and right is not None and right[1] > at:
            self._copy(key, right, at + 1)

    def _early(self, key: Any, value: Any, at: int) -> None:
        """Rule W10: what would begin before the epoch is one window from it on."""
        rows = self._rows
        found = rows.starts_of(key, 0, at + 1)
        right: tuple[Any, int] | None = None
        shared = rows.find(key, 0)
        previous = shared[1] if shared is not None and shared[1] < at else None
        whole = None if shared is None else (shared[0], shared[1])
        for start in found:
            if 0 < start <= at:
                row = rows.find(key, start)
                assert row is not None
                right = (row[0], row[1])
                self._extend(key, value, at, start)
        if right is None and whole is not None and whole[1] > at:
            right = whole
        if at + 1 not in found and right is not None and right[1] > at:
            self._copy(key, right, at + 1)
        if previous is not None and previous + 1 not in found:
            self._put(key, value, at, previous + 1)
        self._extend(key, value, at, 0)

    def _extend(self, key: Any, value: Any, timestamp: int, start: int) -> None:
        """The window takes the record, or begins with it."""
        row = self._rows.find(key, start)
        if row is None:
            self._put(key, value, timestamp, start)
        else:
            self._put(key, value, max(timestamp, row[1]), start, row[0])

    def _put(self, key: Any, value: Any, timestamp: int, start: int, base: Any = None) -> None:
        """The window becomes `base`, or else nothing, and the record, whatever it was: Kafka Streams makes one twice
        that is to the right of the record before and to the left of this one.
        """
        if start + self._width < self._time - self._grace:  # W7
            self._metrics.late += 1
            return
        self._taken = True
        try:
            before = self._merging.begin() if base is None else base
            new = self._merging.add(key, value, before)
        except Exception as error:
            raise UpdateFailedError(error) from error
        self._set(key, start, new, timestamp, before)

    def _copy(self, key: Any, row: tuple[Any, int], start: int) -> None:
        """The records to the right of this one, without it."""
        self._set(key, start, row[0], row[1], None)

    def _set(self, key: Any, start: int, value: Any, timestamp: int, old: Any) -> None:
        if not self._tells_empty:
            known = self._rows.find(key, start)
            old = None if known is None else known[0]
        windowed = self._rows.put(key, start, value, timestamp)
        if self._closer is None:
            self._emit((start, key), windowed, value, old, timestamp)


class UpdateFailedError(Exception):
    """The user's function raised; what it was to update, and what comes after it, is left alone."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
