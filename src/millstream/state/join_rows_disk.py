"""Window stores of stream-stream joins on disk: records of one piece of time lie together; the latest are in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from operator import itemgetter
from struct import Struct
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.changes import Changes
from millstream.state.disk import Disk, DiskBatch, Records
from millstream.state.disk_pieces import TIME, DiskPieces, stored_times
from millstream.state.join_rows import SUFFIX, JoinRows
from millstream.state.timed_values import TimedValue, TimedValues, forget

_ROW_BYTES = 150  # of a record, beside its encoded form: two places in lists, and its part of its key's
_NOTE = Struct(">qi")  # the newest time, the last number


class StoredJoinRows(JoinRows):
    """One side's records over a disk. All of them from a moment on are in memory too: where these are all that may be
    asked for, the disk is not. To evict is to let that moment go on.

    On disk a record stands by its piece of time, half of the retention, then by key, time and number: so a key's
    records between two times are read by a short scan in each piece, however many others it has, and a piece is
    forgotten at once.
    """

    _soon = None  # records are kept as they are until the disk has them

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]], retention_ms: int, *, disk: Disk) -> None:
        super().__init__(name, serdes, retention_ms)
        self.disk = disk
        self._on_disk = DiskPieces(max(retention_ms // 2, 1))
        self._from = 0  # records of then or later are all in memory; of older ones those that the disk does not have
        self._known = 0  # rows in memory that the changelog has
        self._evicted: tuple[int, int, int] | None = None  # what there was after the last call of `evict`
        self._unwritten: list[tuple[Any, TimedValue]] = []
        self._encoded = [0, 0]  # rows and bytes that were encoded so far: what a record takes on average
        self._last_written = 0
        note = disk.note()
        if note is not None:
            self.newest, self._last_written = _NOTE.unpack(note)

    def __len__(self) -> int:
        """About as many as there are."""
        return self.disk.about()

    def between(self, key: Any, first: int, last: int) -> list[TimedValue]:
        found = super().between(key, first, last)
        first = max(first, self.newest - self._retention_ms + 1)
        if first >= self._from:
            return found
        stored = self._read(key, first, min(last, self._from - 1))
        # what memory has of these times came later than what the disk has
        return sorted([*stored, *found], key=itemgetter(0)) if stored and found else stored or found

    def all(self) -> Iterator[tuple[Any, int, Any]]:
        oldest = self.newest - self._retention_ms
        for data, value in self.disk.scan(b"", None):
            timestamp = SUFFIX.unpack_from(data, len(data) - SUFFIX.size)[0]
            if oldest < timestamp < self._from:
                yield self.key.decode(data[TIME.size : -SUFFIX.size]), timestamp, self.value.decode(value)
        yield from super().all()

    def _read(self, key: Any, first: int, last: int) -> list[TimedValue]:
        """What the disk has from `first` to `last`."""
        data, decode, found = self.key.encode(key), self.value.decode, []
        for piece in self._on_disk.between(first, last):
            prefix = TIME.pack(piece) + data
            begin = max(first, piece * self._on_disk.piece_ms)
            end = min(last + 1, (piece + 1) * self._on_disk.piece_ms)
            for row, value in self.disk.scan(prefix + TIME.pack(begin), prefix + TIME.pack(end)):
                if len(row) == len(prefix) + SUFFIX.size:  # not of a longer key that begins like this one
                    found.append((TIME.unpack_from(row, len(prefix))[0], decode(value)))
        return found

    # --- in memory

    @property
    def _held(self) -> int:
        """How many rows are in memory."""
        return self._known + len(self._fresh)

    def _release(self, until: int) -> None:
        self._known -= sum(len(piece) for piece in self._pieces if piece.end <= until)
        super()._release(until)

    def take_changes(self) -> Changes:
        fresh, changes = self._fresh, super().take_changes()
        self._unwritten += fresh
        self._known += len(fresh)
        return changes

    def restore(self, batch: Batch) -> None:
        raise AssertionError("what is restored goes to disk")

    # --- with a disk

    def write(self, records: Records, into: DiskBatch) -> None:
        """The form on disk of changelog records; pieces that were forgotten since the last call are deleted."""
        put, pack, pieces = into.put, TIME.pack, set[int]()
        for data, value in zip(records.keys, records.values, strict=True):
            if data is None or value is None:
                continue
            timestamp, self._last_written = SUFFIX.unpack_from(data, len(data) - SUFFIX.size)
            piece = timestamp // self._on_disk.piece_ms
            put(pack(piece) + data, value)
            pieces.add(piece)
            self._encoded[0] += 1
            self._encoded[1] += len(data) + len(value)
            if timestamp > self.newest:
                self.newest = timestamp
        self._on_disk.know(pieces)
        limit = self.newest - self._retention_ms
        piece_gone = self._on_disk.oldest_until(limit)
        while piece_gone is not None:
            into.delete_range(pack(piece_gone), pack(piece_gone + 1))
            self._on_disk.remove(piece_gone)
            piece_gone = self._on_disk.oldest_until(limit)
        into.note(_NOTE.pack(self.newest, self._last_written))

    def written(self) -> None:
        """What `take_changes` gave is on disk."""
        late = {key for key, row in self._unwritten if row[0] < self._from}
        self._unwritten.clear()
        if late:
            self._trim(late)

    def opened(self) -> None:
        """Which pieces of time are on disk has to be known; nothing of them is in memory."""
        self._number = self._last_written
        self._on_disk.know(stored_times(self.disk))
        if self._on_disk:
            self._from = self.newest + 1

    @property
    def cached_bytes(self) -> int:
        return self._share(self._held)

    @property
    def dirty_bytes(self) -> int:
        return self._share(len(self._fresh) + len(self._unwritten))

    def _share(self, rows: int) -> int:
        """About what so many records take."""
        encoded, size = self._encoded
        return rows * (_ROW_BYTES + (size // encoded if encoded else 0))

    def evict(self) -> None:
        """Forget clean records, the oldest first: a quarter of the time that is in memory, and all when nothing came
        since the last call.
        """
        known = (self.newest, len(self._fresh), self._held)
        begin = max(self._from, self._pieces[-1].start if self._pieces else 0)
        until = self.newest + 1 if known == self._evicted else begin + (self.newest - begin) // 4 + 1
        if self._held and until > self._from:
            self._from = until
            self._release(until)
            self._trim(None)
        self._evicted = (self.newest, len(self._fresh), self._held)

    def _trim(self, keys: Collection[Any] | None) -> None:
        """Of these keys, or all of them, keep in memory what has to be there."""
        for piece in self._pieces:
            if piece.start < self._from:
                self._forget(piece.rows, list(piece.rows) if keys is None else keys)
        for key, row in (*self._unwritten, *self._fresh):
            if row[0] < self._from and (keys is None or key in keys) and row[0] > self.newest - self._retention_ms:
                self._insert(key, row)
                self._known += 1

    def _forget(self, rows_of: dict[Any, TimedValues], keys: Collection[Any]) -> None:
        """Without the rows of these keys that need not be in memory."""
        for key in keys:
            rows = rows_of.get(key)
            if rows is not None:
                self._known -= forget(rows, self._from - 1)
                if not rows:
                    del rows_of[key]
