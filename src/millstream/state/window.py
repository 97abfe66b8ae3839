"""Window stores in memory: the windows that start at one moment lie together, so that they are forgotten together."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from struct import Struct
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde, Window, Windowed
from millstream.state.changes import Changes
from millstream.state.keyvalue import Row

# rule F2: after the key's bytes the window's start and a sequence number, which is 0 for aggregates
_SUFFIX = Struct(">qi")
_LAST_MS = 2**63 - 1


@dataclass(slots=True)
class Segment:
    """The windows that start at one moment: rows by key, and the keys that the changelog does not have yet."""

    rows: dict[Any, Row] = field(default_factory=dict)
    dirty: dict[Any, int] = field(default_factory=dict)


class WindowRows:
    """The rows of one task's window store by window start and key: [value, timestamp, windowed key].

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
        self.limits: list[Callable[[], int]] = []  # of the nodes that need its windows
        self.opened: Callable[[int], None] | None = None  # told each moment at which windows open
        self._segments: dict[int, Segment] = {}
        self._starts: list[int] = []  # a heap: the oldest segment first
        self._starts_of: dict[Any, list[int]] | None = {} if by_key else None

    @property
    def by_key(self) -> bool:
        """Whether a key's windows are found without looking at those of others."""
        return self._starts_of is not None

    def __len__(self) -> int:
        return sum(len(segment.rows) for segment in self._shown())

    def segment(self, start: int) -> Segment:
        """The windows that start then; made if there are none. What is put where all is forgotten is not kept."""
        found = self._segments.get(start)
        if found is None:
            if start <= self.gone:
                return Segment()
            found = self._segments[start] = Segment()
            heappush(self._starts, start)
            self.newest_start = max(self.newest_start, start)
            if self.opened is not None:
                self.opened(start)
            self.forget()
        elif start <= self.gone:
            return Segment()
        return found

    def get(self, windowed: Windowed[Any]) -> Row | None:
        """The row of a key and window."""
        return self.find(windowed.key, windowed.window.start)

    def find(self, key: Any, start: int) -> Row | None:
        """The row of a key's window that starts then."""
        segment = self._segments.get(start)
        return None if segment is None or start <= self.gone else segment.rows.get(key)

    def starts_of(self, key: Any, first: int, last: int) -> list[int]:
        """When a key's windows start, from `first` to `last`, both included; of stores that find them by key."""
        assert self._starts_of is not None
        starts = self._starts_of.get(key, [])
        return starts[bisect_left(starts, max(first, self.gone + 1)) : bisect_right(starts, last)]

    def rows_at(self, start: int) -> Mapping[Any, Row]:
        """All windows that start then, by key."""
        segment = self._segments.get(start)
        return {} if segment is None or start <= self.gone else segment.rows

    def starts(self) -> list[int]:
        """The moments at which windows start, in order."""
        return sorted(start for start in self._segments if start > self.gone)

    def put(self, key: Any, start: int, value: Any, timestamp: int) -> Windowed[Any]:
        """Set or, with None, delete a key's window; its windowed key."""
        segment = self.segment(start)
        row = segment.rows.get(key)
        segment.dirty[key] = timestamp
        if row is not None:
            row[0], row[1] = value, timestamp
        else:
            row = self.row(key, start, value, timestamp)
        if value is not None:
            self._add(segment, key, start, row)
        elif segment.rows.pop(key, None) is not None:
            self._drop(key, start)
        windowed: Windowed[Any] = row[2]
        return windowed

    def row(self, key: Any, start: int, value: Any, timestamp: int) -> Row:
        """A new row; its windowed key is made once and passed on with every update."""
        return [value, timestamp, Windowed(key, Window(start, min(start + self.size_ms, _LAST_MS)))]

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
        while self._starts and self._starts[0] <= self.gone and not self._segments[self._starts[0]].dirty:
            start = heappop(self._starts)
            segment = self._segments.pop(start)
            if self._starts_of is not None:
                for key in segment.rows:
                    self._drop(key, start)

    def _add(self, segment: Segment, key: Any, start: int, row: Row) -> None:
        if self._starts_of is not None and key not in segment.rows:
            insort(self._starts_of.setdefault(key, []), start)
        segment.rows[key] = row

    def _drop(self, key: Any, start: int) -> None:
        if self._starts_of is not None:
            starts = self._starts_of.get(key, [])
            at = bisect_left(starts, start)
            if at < len(starts) and starts[at] == start:
                del starts[at]
            if not starts:
                self._starts_of.pop(key, None)

    def _shown(self) -> list[Segment]:
        return [segment for start, segment in self._segments.items() if start > self.gone]

    def newest(self) -> int:
        """The largest timestamp of any row, -1 if there is none."""
        return max((row[1] for segment in self._segments.values() for row in segment.rows.values()), default=-1)

    def all(self) -> Iterator[tuple[int, Any, Row]]:
        """(start, key, row) of every window."""
        for start in self.starts():
            for key, row in self._segments[start].rows.items():
                yield start, key, row

    # --- changelog (rule F2)

    def take_changes(self) -> Changes:
        """The last value of each window changed since the last call; a deleted one as null."""
        encode_key, encode_value, suffix = self.key.encode, self.value.encode, _SUFFIX.pack
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        timestamps: list[int] = []
        for start, segment in self._segments.items():
            for key, timestamp in segment.dirty.items():
                row = segment.rows.get(key)
                keys.append(encode_key(key) + suffix(start, 0))
                values.append(None if row is None else encode_value(row[0]))
                timestamps.append(timestamp if row is None else row[1])
            segment.dirty.clear()
        return Changes(timestamps, keys, values)

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        for data, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if data is None:
                continue
            start, _ = _SUFFIX.unpack(data[-_SUFFIX.size :])
            key = self.key.decode(data[: -_SUFFIX.size])
            segment = self.segment(start)
            if value is not None:
                self._add(segment, key, start, self.row(key, start, self.value.decode(value), timestamp))
            elif segment.rows.pop(key, None) is not None:
                self._drop(key, start)
