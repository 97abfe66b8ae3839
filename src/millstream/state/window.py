"""Window stores in memory: the windows that start at one moment lie together, so that they are forgotten together."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde, Window, Windowed, window_of
from millstream.state.changes import Changes
from millstream.state.keyvalue import Row
from millstream.state.ordered import OrderedTimes

# rule F2: after the key's bytes the window's start and a sequence number, which is 0 for aggregates
SUFFIX = Struct(">qi")
LAST_MS = 2**63 - 1


class Segment:
    """The windows that start at one moment: rows by key, and those that the changelog does not have yet.

    `get(key)` finds a row. Whoever changes a row in place, puts another one into `rows`, or removes one, which then has
    the value None, notes it in `dirty`.
    """

    __slots__ = ("dirty", "get", "rows", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self.rows: dict[Any, Row | None] = {}
        self.dirty: dict[Any, Row] = {}
        self.get: Callable[[Any], Row | None] = self.rows.get

    def remove(self, key: Any) -> None:
        self.rows.pop(key, None)


class WindowRows:
    """The rows of one task's window store by window start and key: [value, timestamp, key, window, note].

    The note is None, or what the node keeps there that updates the row, such as its windowed key.

    Windows that start at `limit()` or before are forgotten; it is asked whenever a window opens at a new moment. That
    is `retention_ms` before the newest start (rule W20), unless nodes say what they need in `limits`. With `by_key` a
    key's windows can be found by a span of starts.
    """

    def __init__(
        self,
        name: str,
        serdes: tuple[Serde[Any], Serde[Any]],
        size_ms: int,
        retention_ms: int,
        *,
        by_key: bool = False,
    ) -> None:
        self.name = name
        self.key, self.value = serdes
        self.size_ms = size_ms
        self.retention_ms = retention_ms
        self.newest_start = -1
        self.gone = -1  # starts up to here are forgotten
        self._newest = -1
        self.limits: list[Callable[[], int]] = []  # of the nodes that need its windows
        self.watch: Callable[[int], None] | None = None  # told each moment at which windows open
        self._segments: dict[int, Segment] = {}
        self._touched: dict[int, Segment] = {}  # that may have what the changelog lacks
        self._order = OrderedTimes()  # of the segments
        self._starts_of: dict[Any, list[int]] | None = {} if by_key else None

    @property
    def by_key(self) -> bool:
        """Whether a key's windows are found without looking at those of others."""
        return self._starts_of is not None

    def __len__(self) -> int:
        return sum(len(segment.rows) for start, segment in self._segments.items() if start > self.gone)

    # --- windows that start at one moment

    def segment(self, start: int) -> Segment:
        """The windows that start then, to be changed; made if there are none. What is put where all is forgotten is
        not kept.
        """
        found = self._segments.get(start)
        if found is None:
            found = self._made(start)
            if start <= self.gone:
                return found
            self._segments[start] = found
            self._order.add(start)
            if start > self.newest_start:
                self.newest_start = start
            if self.watch is not None:
                self.watch(start)
            self.forget()
        elif start <= self.gone:
            return self._made(start)
        self._touched[start] = found
        return found

    def _made(self, start: int) -> Segment:
        return Segment(self.window(start))

    def window(self, start: int) -> Window:
        return window_of((start, min(start + self.size_ms, LAST_MS)))

    def in_key_order(self, start: int) -> Iterator[tuple[bytes, Any, Row]]:
        """The windows that start then, with their keys' bytes and in the order of these."""
        segment = self._segments.get(start)
        if segment is not None and start > self.gone:
            yield from in_order(self.key, segment.rows.items())

    def starts(self) -> list[int]:
        """The moments at which windows start, in order."""
        return [start for start in self._order if start > self.gone]

    def next_start(self, after: int) -> int | None:
        """The first moment behind this one at which windows start; None if there is none."""
        return self._order.after(max(after, self.gone))

    # --- one key

    def get(self, windowed: Windowed[Any]) -> Row | None:
        """The row of a key and window."""
        return self.find(windowed.key, windowed.window.start)

    def find(self, key: Any, start: int) -> Row | None:
        """The row of a key's window that starts then."""
        segment = self._segments.get(start)
        return None if segment is None or start <= self.gone else segment.get(key)

    def starts_of(self, key: Any, first: int, last: int) -> list[int]:
        """When a key's windows start, from `first` to `last`, both included; of stores that find them by key."""
        assert self._starts_of is not None
        starts = self._starts_of.get(key, [])
        return starts[bisect_left(starts, max(first, self.gone + 1)) : bisect_right(starts, last)]

    def put(self, key: Any, start: int, value: Any, timestamp: int) -> Windowed[Any]:
        """Set or, with None, delete a key's window; its windowed key."""
        segment = self.segment(start)
        if start <= self.gone:
            return Windowed(key, segment.window)
        row = segment.get(key)
        if row is None:
            row = [value, timestamp, key, segment.window, None]
            if value is not None:
                self._add(segment, key, start, row)
        else:
            row[0], row[1] = value, timestamp
            if value is None:
                segment.remove(key)
                self._drop(key, start)
        segment.dirty[key] = row
        return windowed_key(row)

    # --- what is forgotten

    def limit(self) -> int:
        """The start up to which nothing is needed: by any node that says what it needs, else by the retention."""
        if self.limits:
            return min(limit() for limit in self.limits)
        return self.newest_start - self.retention_ms

    def forget(self) -> None:
        """Let go of what starts at the limit or before. Nothing is done per key, but where windows are found by key.

        What the changelog must still have is gone at once for those who look for it, and lies here until then.
        """
        self.gone = max(self.gone, self.limit())
        start = self._order.first()
        while start is not None and start <= self.gone and not self._segments[start].dirty:
            self._order.remove(start)
            segment = self._segments.pop(start)
            if self._starts_of is not None:
                for key in segment.rows:
                    starts = self._starts_of.get(key)
                    if starts is not None and starts[-1] <= self.gone:
                        del self._starts_of[key]
            start = self._order.first()

    def _add(self, segment: Segment, key: Any, start: int, row: Row) -> None:
        if self._starts_of is not None and key not in segment.rows:
            starts = self._starts_of.get(key)
            if starts is None:
                self._starts_of[key] = [start]
            else:
                insort(starts, start)
                if starts[len(starts) // 2] <= self.gone:  # so late that it costs nothing by window
                    del starts[: bisect_right(starts, self.gone)]
        segment.rows[key] = row

    def _drop(self, key: Any, start: int) -> None:
        if self._starts_of is not None:
            starts = self._starts_of[key]
            del starts[bisect_left(starts, start)]
            if not starts:
                del self._starts_of[key]

    # --- all of them

    def newest(self) -> int:
        """The largest timestamp of any row that was restored, -1 if there was none."""
        return self._newest

    def all(self) -> Iterator[tuple[int, Any, Row]]:
        """(start, key, row) of every window, by start and the key's bytes."""
        for start in self.starts():
            for _, key, row in self.in_key_order(start):
                yield start, key, row

    # --- changelog (rule F2)

    def take_changes(self) -> Changes:
        """The last value of each window changed since the last call; a deleted one as null."""
        encode_key, encode_value, suffix = self.key.encode, self.value.encode, SUFFIX.pack
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        timestamps: list[int] = []
        for start, segment in self._touched.items():
            end, rows = suffix(start, 0), segment.dirty.values()
            keys += [encode_key(key) + end for key in segment.dirty]
            values += [None if row[0] is None else encode_value(row[0]) for row in rows]
            timestamps += [row[1] for row in rows]
            self._taken(segment)
        self._touched.clear()
        self.forget()
        return Changes(timestamps, keys, values)

    def _taken(self, segment: Segment) -> None:
        segment.dirty.clear()

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        for data, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if data is None:
                continue
            start, _ = SUFFIX.unpack(data[-SUFFIX.size :])
            key = self.key.decode(data[: -SUFFIX.size])
            segment = self.segment(start)
            if start <= self.gone:
                continue
            if value is not None:
                self._add(segment, key, start, [self.value.decode(value), timestamp, key, segment.window, None])
                self._newest = max(self._newest, timestamp)
            elif segment.rows.pop(key, None) is not None:
                self._drop(key, start)


def windowed_key(row: Row) -> Windowed[Any]:
    """The row's windowed key, made once and then kept as its note."""
    if row[4] is None:
        row[4] = Windowed(row[2], row[3])
    windowed: Windowed[Any] = row[4]
    return windowed


def in_order(serde: Serde[Any], rows: Iterable[tuple[Any, Row | None]]) -> list[tuple[bytes, Any, Row]]:
    """Rows that there are, with their keys' bytes and in the order of these."""
    encode = serde.encode
    return sorted(((encode(key), key, row) for key, row in rows if row is not None), key=lambda item: item[0])
