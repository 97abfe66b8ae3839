"""Window stores in memory: the windows that start at one moment lie together, so that they are forgotten together."""

from __future__ import annotations

from collections.abc import Iterator
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


@dataclass(slots=True)
class Segment:
    """The windows that start at one moment: rows by key, and the keys that the changelog does not have yet."""

    rows: dict[Any, Row] = field(default_factory=dict)
    dirty: dict[Any, int] = field(default_factory=dict)


class WindowRows:
    """The rows of one task's window store by window start and key: [value, timestamp, windowed key].

    Windows that start `retention_ms` or more before the newest start are forgotten (rule W20).
    """

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]], size_ms: int, retention_ms: int) -> None:
        self.name = name
        self.key, self.value = serdes
        self.size_ms = size_ms
        self._retention_ms = retention_ms
        self._newest_start = -1
        self._segments: dict[int, Segment] = {}
        self._starts: list[int] = []  # a heap: the oldest segment first

    def __len__(self) -> int:
        return sum(len(segment.rows) for segment in self._segments.values())

    def segment(self, start: int) -> Segment:
        """The windows that start then; made if there are none."""
        found = self._segments.get(start)
        if found is None:
            found = self._segments[start] = Segment()
            heappush(self._starts, start)
            if start > self._newest_start:
                self._newest_start = start
                self._forget_until(start - self._retention_ms)
        return found

    def get(self, windowed: Windowed[Any]) -> Row | None:
        """The row of a key and window."""
        segment = self._segments.get(windowed.window.start)
        return None if segment is None else segment.rows.get(windowed.key)

    def row(self, key: Any, start: int, value: Any, timestamp: int) -> Row:
        """A new row; its windowed key is made once and passed on with every update."""
        return [value, timestamp, Windowed(key, Window(start, start + self.size_ms))]

    def _forget_until(self, start: int) -> None:
        """Nothing is done per key: a segment goes as a whole. What the changelog must still have stays until then."""
        while self._starts and self._starts[0] <= start and not self._segments[self._starts[0]].dirty:
            del self._segments[heappop(self._starts)]

    def newest(self) -> int:
        """The largest timestamp of any row, -1 if there is none."""
        return max((row[1] for segment in self._segments.values() for row in segment.rows.values()), default=-1)

    def all(self) -> Iterator[tuple[int, Any, Row]]:
        """(start, key, row) of every window."""
        for start, segment in sorted(self._segments.items()):
            for key, row in segment.rows.items():
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
            if value is None:
                self.segment(start).rows.pop(key, None)
            else:
                self.segment(start).rows[key] = self.row(key, start, self.value.decode(value), timestamp)
