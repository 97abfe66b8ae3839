"""Session stores on disk: sessions that end together lie together; the latest are in memory as well."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde, Window, window_of
from millstream.state.cache import ROW_BYTES
from millstream.state.disk import Disk, DiskBatch, Records
from millstream.state.disk_pieces import TIME, DiskPieces, stored_times
from millstream.state.session import SUFFIX, Session, SessionRows

_OBJECT_BYTES = 300  # of a session, beside what any row takes
_NOTE = Struct(">q")  # the largest end


class StoredSessionRows(SessionRows):
    """A session store over a disk. All sessions that end from a moment on are in memory too: where these are all that
    may be near, the disk is not asked. To evict is to let that moment go on.

    On disk a session stands by the piece of time that it ends in, half of the retention, then by key, end and start:
    so those of a key are read by a short scan in each piece, and a piece is forgotten at once.
    """

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]], retention_ms: int, *, disk: Disk) -> None:
        super().__init__(name, serdes, retention_ms)
        self.disk = disk
        self._on_disk = DiskPieces(max(retention_ms // 2, 1))
        self._from = 0  # sessions that end then or later are all in memory
        self._held = 0
        self._evicted: tuple[int, int, int] | None = None  # what there was after the last call of `evict`
        self._unwritten: dict[Session, None] = {}
        self._undeleted: set[tuple[Any, Window]] = set()  # on disk still, deletes of them are on the changelog's way
        self._encoded = [0, 0]  # rows and bytes that were encoded so far: what a row takes on average
        note = disk.note()
        if note is not None:
            self.largest_end = _NOTE.unpack(note)[0]

    def __len__(self) -> int:
        """About as many as there are."""
        return self.disk.about()

    # --- what memory has, and the disk

    def near(self, key: Any, first: int, last: int) -> list[Session]:
        found = super().near(key, first, last)
        first = max(first, self.gone + 1)
        if first < self._from:
            stored = self._read(key, first, last)
            if stored:
                return sorted([*stored, *found], key=_end)
        return found

    def all(self) -> Iterator[Session]:
        gone = self.limit()
        held = {(session.key, session.bounds) for session in super().all()}
        yield from super().all()
        for data, value in self.disk.scan(b"", None):
            session = self._decoded(data, value)
            known = (session.key, session.bounds)
            if session.end > gone and known not in held and self._is_there(*known):
                yield session

    def ending(self, first: int, until: int) -> Iterator[Session]:
        found = list(super().ending(first, until))
        last = min(until, self._from) - 1
        for piece in self._on_disk.between(first, last):
            for data, value in self.disk.scan(TIME.pack(piece), TIME.pack(piece + 1)):
                if not first <= SUFFIX.unpack_from(data, len(data) - SUFFIX.size)[0] <= last:
                    continue
                session = self._decoded(data, value)
                if self._is_current(session.key, session.bounds):
                    self._add(session)
                    found.append(session)
        yield from found

    def first_end(self, first: int) -> int | None:
        ends = [] if (end := super().first_end(first)) is None else [end]
        for piece in self._on_disk.between(first, self._from - 1):
            rows = self.disk.scan(TIME.pack(piece), TIME.pack(piece + 1))
            stored = [end for data, _ in rows if (end := SUFFIX.unpack(data[-SUFFIX.size :])[0]) >= first]
            if stored:  # it may have grown since, and then is found where it is now
                ends.append(min(stored))
                break
        return min(ends, default=None)

    def _read(self, key: Any, first: int, last: int) -> list[Session]:
        """The key's sessions that are on disk alone, end from `first` on and start at `last` or before."""
        data, found = self.key.encode(key), []
        for piece in self._on_disk.between(first, self._from - 1):
            prefix = TIME.pack(piece) + data
            begin = max(first, piece * self._on_disk.piece_ms)
            end = min(self._from, (piece + 1) * self._on_disk.piece_ms)
            for row, value in self.disk.scan(prefix + TIME.pack(begin), prefix + TIME.pack(end)):
                if len(row) != len(prefix) + SUFFIX.size:  # of a longer key that begins like this one
                    continue
                ended, start = SUFFIX.unpack_from(row, len(prefix))
                bounds = window_of((start, ended))
                if start <= last and self._is_current(key, bounds):
                    found.append(self._session(key, bounds, value))
        return found

    def _is_there(self, key: Any, bounds: Window) -> bool:
        """Whether what the disk has was not deleted, or merged into another, since."""
        return (key, bounds) not in self._deleted and (key, bounds) not in self._undeleted

    def _is_current(self, key: Any, bounds: Window) -> bool:
        """Whether it is so, and memory does not have it."""
        start, end = bounds
        held = (session.start == start and session.end == end for session in self._sessions(key))
        return self._is_there(key, bounds) and not any(held)

    def _known(self, data: bytes) -> tuple[Any, Window]:
        """Key and bounds of a row on disk, given without its piece."""
        end, start = SUFFIX.unpack_from(data, len(data) - SUFFIX.size)
        return self.key.decode(data[: -SUFFIX.size]), window_of((start, end))

    def _decoded(self, row: bytes, value: bytes) -> Session:
        return self._session(*self._known(row[TIME.size :]), value)

    def _session(self, key: Any, bounds: Window, value: bytes) -> Session:
        session = Session(key, bounds, self.value.decode(value[TIME.size :]), TIME.unpack_from(value)[0])
        session.log()
        return session

    # --- in memory

    def _add(self, session: Session) -> None:
        self._held += 1
        super()._add(session)

    def _drop(self, session: Session) -> None:
        self._held -= session.piece >= 0
        super()._drop(session)

    def _unlogged(self, session: Session) -> bool:
        return session in self._dirty or session in self._unwritten

    def _taken(self) -> None:
        self._unwritten |= self._dirty
        self._undeleted.update(self._deleted)

    def restore(self, batch: Batch) -> None:
        raise AssertionError("what is restored goes to disk")

    # --- with a disk

    def write(self, records: Records, into: DiskBatch) -> None:
        """The form on disk of changelog records; pieces that were forgotten since the last call are deleted."""
        self._free(into)
        put, delete, pack, pieces = into.put, into.delete, TIME.pack, set[int]()
        for data, value, timestamp in zip(records.keys, records.values, records.timestamps, strict=True):
            if data is None:
                continue
            end = SUFFIX.unpack_from(data, len(data) - SUFFIX.size)[0]
            piece = end // self._on_disk.piece_ms
            if value is None:
                delete(pack(piece) + data)
                continue
            put(pack(piece) + data, pack(timestamp) + value)
            self._encoded[0] += 1
            self._encoded[1] += len(data) + len(value)
            if end > self.largest_end:
                self.largest_end = end
            pieces.add(piece)
        self._on_disk.know(pieces)
        into.note(_NOTE.pack(self.largest_end))

    def _free(self, into: DiskBatch) -> None:
        """Delete the pieces that end at the limit or before."""
        limit = self._free_until()
        while (piece := self._on_disk.oldest_until(limit)) is not None:
            into.delete_range(TIME.pack(piece), TIME.pack(piece + 1))
            self._on_disk.remove(piece)

    def written(self) -> None:
        """What `take_changes` gave is on disk."""
        self._unwritten.clear()
        self._undeleted.clear()

    def opened(self) -> None:
        """Which pieces of time are on disk has to be known; nothing of them is in memory."""
        self._on_disk.know(stored_times(self.disk))
        if self._on_disk:
            self._from = self.largest_end + 1

    @property
    def cached_bytes(self) -> int:
        return self._share(self._held)

    @property
    def dirty_bytes(self) -> int:
        return self._share(len(self._dirty) + len(self._unwritten))

    def _share(self, rows: int) -> int:
        """About what so many sessions take."""
        encoded, size = self._encoded
        return rows * (ROW_BYTES + _OBJECT_BYTES + (size // encoded if encoded else 0))

    def evict(self) -> None:
        """Forget clean sessions, the earliest first: a quarter of them; all, when nothing came since the last call."""
        known = (self.largest_end, len(self._dirty), self._held)
        until = self.largest_end + 1 if known == self._evicted else self._quarter()
        for piece in [piece for piece in self._pieces if piece * self.piece_ms < until]:
            for session in self._pieces[piece]:
                if session.piece == piece and session.end < until and not (session.waiting or self._unlogged(session)):
                    self._drop(session)
            self._pieces[piece] = [session for session in self._pieces[piece] if session.piece == piece]
        self._from = max(self._from, until)
        self._evicted = (self.largest_end, len(self._dirty), self._held)

    def _quarter(self) -> int:
        """The end of the pieces of time in which a quarter of the sessions end that are held."""
        seen = 0
        for piece in sorted(self._pieces):
            seen += len(self._pieces[piece])
            if 4 * seen >= self._held:
                return (piece + 1) * self.piece_ms
        return 0


def _end(session: Session) -> int:
    return session.end
