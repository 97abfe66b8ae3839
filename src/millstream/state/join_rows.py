"""Window stores of stream-stream joins: each record of a side, by key and time, duplicates kept (rules J6, J7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from struct import Struct
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.changes import Changes
from millstream.state.timed_values import FULL, FewValues, ManyValues, TimedValues

# rule F4: after the key's bytes the record's timestamp and its number
SUFFIX = Struct(">qi")
_NUMBERS = 0x7FFFFFFF
_PIECES = 16  # rows are forgotten by pieces of the retention


class JoinRows:
    """One side's records of one task. Those at or before the newest timestamp less `retention_ms` are not found.

    A look-up costs a bisection in its key's rows and the rows found, a late row a part of the key's rows that is
    bounded; forgetting costs the rows forgotten.
    """

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]], retention_ms: int) -> None:
        self.name = name
        self.key, self.value = serdes
        self.newest = -1
        self._retention_ms = retention_ms
        self.piece_ms = max(retention_ms // _PIECES, 1)
        self._rows: dict[Any, TimedValues] = {}
        self._keys_of: dict[int, set[Any]] = {}  # by the piece of time in which they have rows
        self._pieces: list[int] = []  # a heap of these
        self._number = 0
        self._fresh: list[tuple[Any, int, int, Any]] = []  # rows that the changelog does not have yet

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def put(self, key: Any, value: Any, timestamp: int) -> None:
        """Add a record; one that is too old to be found is not kept."""
        if timestamp > self.newest:
            self.newest = timestamp
            self._forget(timestamp - self._retention_ms)
        elif timestamp <= self.newest - self._retention_ms:
            return
        self._number = (self._number + 1) & _NUMBERS
        self._fresh.append((key, timestamp, self._number, value))
        self._insert(key, value, timestamp)

    def between(self, key: Any, first: int, last: int) -> list[tuple[int, Any]]:
        """(timestamp, value) of a key's records from `first` to `last`, both included."""
        rows = self._rows.get(key)
        if rows is None:
            return []
        oldest = self.newest - self._retention_ms + 1
        return rows.between(first if first > oldest else oldest, last)

    def all(self) -> Iterator[tuple[Any, int, Any]]:
        """(key, timestamp, value) of every record that can be found."""
        oldest = self.newest - self._retention_ms + 1
        for key, rows in self._rows.items():
            for timestamp, value in rows.between(oldest, self.newest):
                yield key, timestamp, value

    def _insert(self, key: Any, value: Any, timestamp: int) -> None:
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = FewValues()
        elif type(rows) is FewValues and len(rows.timestamps) == FULL:
            rows = self._rows[key] = ManyValues(rows)
        rows.add(timestamp, value)
        piece = timestamp // self.piece_ms
        keys = self._keys_of.get(piece)
        if keys is None:
            keys = self._keys_of[piece] = set()
            heappush(self._pieces, piece)
        keys.add(key)

    def _forget(self, until: int) -> None:
        """Free the records up to a timestamp, in whole pieces."""
        while self._pieces and (self._pieces[0] + 1) * self.piece_ms - 1 <= until:
            piece = heappop(self._pieces)
            last = (piece + 1) * self.piece_ms - 1
            self._drop(self._keys_of.pop(piece, ()), last)

    def _drop(self, keys: Iterable[Any], last: int) -> int:
        """Without the records of these keys up to a time; how many these were."""
        gone = 0
        for key in keys:
            rows = self._rows.get(key)
            if rows is not None:
                gone += rows.forget(last)
                if not rows:
                    del self._rows[key]
        return gone

    # --- changelog (rule F4)

    def take_changes(self) -> Changes:
        """The records put since the last call."""
        encode_key, encode_value, suffix = self.key.encode, self.value.encode, SUFFIX.pack
        fresh = self._fresh
        changes = Changes(
            [timestamp for _, timestamp, _, _ in fresh],
            [encode_key(key) + suffix(timestamp, number) for key, timestamp, number, _ in fresh],
            [encode_value(value) for _, _, _, value in fresh],
        )
        self._fresh = []
        return changes

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        for data, value in zip(batch.keys, batch.values, strict=True):
            if data is None or value is None:
                continue
            timestamp, number = SUFFIX.unpack(data[-SUFFIX.size :])
            self._number = number
            if timestamp > self.newest:
                self.newest = timestamp
                self._forget(timestamp - self._retention_ms)
            if timestamp > self.newest - self._retention_ms:
                self._insert(self.key.decode(data[: -SUFFIX.size]), self.value.decode(value), timestamp)
