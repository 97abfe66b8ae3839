"""Window stores of stream-stream joins: each record of a side, by key and time, duplicates kept (rules J6, J7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, NamedTuple

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.changes import Changes
from millstream.state.timed_values import FULL, TimedValue, TimedValues, added, between

# rule F4: after the key's bytes the record's timestamp and its number
SUFFIX = Struct(">qi")
_NUMBERS = 0x7FFFFFFF
_PIECES = 4  # of the retention: more are looked into for each record, fewer hold more rows that are not found any more


@dataclass(slots=True)
class Piece:
    """The records of a piece of time, by key."""

    start: int
    end: int
    rows: dict[Any, TimedValues] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))


class Columns(NamedTuple):
    """Changelog records that are put together."""

    timestamps: list[int]
    keys: list[bytes]
    values: list[bytes]


class JoinRows:
    """One side's records of one task. Those at or before the newest timestamp less `retention_ms` are not found.

    They lie in pieces of time, so that forgetting costs nothing by record or key: a piece that is too old is let go
    as a whole. A look-up costs a bisection in its key's rows, in each piece that it reaches into, and the rows found; a
    late row a part of its key's rows that is bounded.
    """

    # so many records are encoded together: soon, while the processor's caches have them, not all of them at a commit
    _soon: int | None = 512

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]], retention_ms: int) -> None:
        self.name = name
        self.key, self.value = serdes
        self.newest = -1
        self._retention_ms = retention_ms
        self._piece_ms = max(retention_ms // _PIECES, 1)
        self._pieces: list[Piece] = []  # the latest first
        self._latest = Piece(0, 0)
        self._number = 0  # of the last row that the changelog has
        self._fresh: list[tuple[Any, TimedValue]] = []  # keys and rows that are to be encoded for the changelog
        self._columns = Columns([], [], [])  # what the changelog does not have yet

    def __len__(self) -> int:
        return sum(len(piece) for piece in self._pieces)

    def put(self, key: Any, value: Any, timestamp: int) -> None:
        """Add a record; one that is too old to be found is not kept."""
        if timestamp > self.newest:
            self.newest = timestamp
        elif timestamp <= self.newest - self._retention_ms:
            return
        row = (timestamp, value)
        self._fresh.append((key, row))
        if len(self._fresh) == self._soon:
            with suppress(Exception):  # `take_changes` meets it again
                self._encode()
        piece = self._latest
        if not piece.start <= timestamp < piece.end:
            self._insert(key, row)
            return
        rows = piece.rows.get(key)
        if rows is None:
            piece.rows[key] = [row]
        elif not isinstance(rows, list):
            rows.add(row)
        elif timestamp >= rows[-1][0] and len(rows) < FULL:
            rows.append(row)
        else:
            piece.rows[key] = added(rows, row)

    def between(self, key: Any, first: int, last: int) -> list[TimedValue]:
        """(timestamp, value) of a key's records from `first` to `last`, both included."""
        oldest = self.newest - self._retention_ms
        if first <= oldest:
            first = oldest + 1
        found: list[TimedValue] = []
        for piece in self._pieces:
            start = piece.start
            if start <= last:
                rows = piece.rows.get(key)
                if rows is not None:
                    if isinstance(rows, list) and rows[0][0] >= first and rows[-1][0] <= last:
                        here = rows.copy()
                    else:
                        here = between(rows, first, last)
                    found = here + found if found else here
                if start <= first:
                    break
        return found

    def all(self) -> Iterator[tuple[Any, int, Any]]:
        """(key, timestamp, value) of every record that can be found."""
        for piece in reversed(self._pieces):
            for key, rows in piece.rows.items():
                for timestamp, value in between(rows, self.newest - self._retention_ms + 1, self.newest):
                    yield key, timestamp, value

    def _insert(self, key: Any, row: TimedValue) -> None:
        rows_of = self._piece(row[0]).rows
        rows_of[key] = added(rows_of.get(key, []), row)

    def _piece(self, timestamp: int) -> Piece:
        """The one in which a time lies. When a new one is the latest, those are let go that are too old."""
        at = 0
        while at < len(self._pieces) and self._pieces[at].start > timestamp:
            at += 1
        if at < len(self._pieces) and timestamp < self._pieces[at].end:
            return self._pieces[at]
        start = timestamp - timestamp % self._piece_ms
        piece = Piece(start, start + self._piece_ms)
        self._pieces.insert(at, piece)
        if at == 0:
            self._latest = piece
            self._release(self.newest - self._retention_ms + 1)
        return piece

    def _release(self, until: int) -> None:
        """Let go of the pieces that end before a time, or there."""
        while self._pieces and self._pieces[-1].end <= until:
            self._pieces.pop()
        if not self._pieces:
            self._latest = Piece(0, 0)

    # --- changelog (rule F4)

    def take_changes(self) -> Changes:
        """The records put since the last call."""
        self._encode()
        changes = Changes(*self._columns)
        self._columns = Columns([], [], [])
        return changes

    def _encode(self) -> None:
        """What is fresh: all of it, or nothing where one cannot be encoded."""
        encode_key, encode_value, suffix = self.key.encode, self.value.encode, SUFFIX.pack
        fresh, columns = self._fresh, self._columns
        numbered = enumerate(fresh, self._number + 1)
        keys = [encode_key(key) + suffix(row[0], number & _NUMBERS) for number, (key, row) in numbered]
        columns.values.extend([encode_value(row[1]) for _, row in fresh])
        columns.keys.extend(keys)
        columns.timestamps.extend([row[0] for _, row in fresh])
        self._number = (self._number + len(fresh)) & _NUMBERS
        self._fresh = []

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        for data, value in zip(batch.keys, batch.values, strict=True):
            if data is None or value is None:
                continue
            timestamp, number = SUFFIX.unpack(data[-SUFFIX.size :])
            self._number = number
            if timestamp > self.newest:
                self.newest = timestamp
            if timestamp > self.newest - self._retention_ms:
                self._insert(self.key.decode(data[: -SUFFIX.size]), (timestamp, self.value.decode(value)))
