"""Window stores on disk, by start and key: a window's row is found by one look-up, and forgotten with its moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from struct import Struct
from typing import Any, cast

from millstream.model import Batch
from millstream.serde import Serde, Window
from millstream.state.cache import ROW_BYTES
from millstream.state.disk import Disk, DiskBatch, Records, after_prefix, merged
from millstream.state.disk_pieces import TIME, stored_times
from millstream.state.keyvalue import Row
from millstream.state.window import SUFFIX, Segment, WindowRows, in_order

NOTE = Struct(">qq")  # the largest timestamp, the newest start


class KnownRows(dict[Any, Row | None]):
    """Rows of a segment that are in memory, None for keys that have none; others are loaded.

    There are two generations, as in `RowCache`. A segment is `complete` while nothing of it is on disk alone.
    """

    __slots__ = ("complete", "load", "older")

    def __init__(self, load: Callable[[Any], Row | None], *, complete: bool) -> None:
        super().__init__()
        self.load = load
        self.complete = complete
        self.older: dict[Any, Row | None] = {}

    def __missing__(self, key: Any) -> Row | None:
        if key in self.older:
            row = self.older.pop(key)
        elif self.complete:
            return None
        else:
            row = self.load(key)
        self[key] = row
        return row


class StoredSegment(Segment):
    """A segment with a disk below. `unwritten` are the keys taken for the changelog that the disk does not have yet."""

    __slots__ = ("counted", "known", "unwritten")

    def __init__(self, window: Window, load: Callable[[Any], Row | None], *, complete: bool) -> None:
        super().__init__(window)
        self.rows = self.known = KnownRows(load, complete=complete)
        self.get = self.known.__getitem__
        self.unwritten: dict[Any, Row] = {}
        self.counted = 0

    def remove(self, key: Any) -> None:
        self.rows[key] = None  # known not to be there, whatever the disk still has

    def size(self) -> int:
        return len(self.rows) + len(self.known.older)

    def evict(self) -> None:
        """Forget the older clean rows; the others are the older ones from now on."""
        known = self.known
        if known.older:
            known.complete = False
        kept = {key: known[key] for key in chain(self.dirty, self.unwritten)}
        known.older = {key: row for key, row in known.items() if key not in kept}
        known.clear()
        known.update(kept)


class StoredWindowRows(WindowRows):
    """A window store over a disk; live rows are a cache of it. A window that opens is known to have no rows on disk.

    On disk the start stands before the key, so that the windows of one moment lie together: they are emitted in order,
    and a range of moments is deleted at once. The value stands behind its timestamp (rule F2).
    """

    def __init__(
        self, name: str, serdes: tuple[Serde[Any], Serde[Any]], size_ms: int, retention_ms: int, *, disk: Disk
    ) -> None:
        super().__init__(name, serdes, size_ms, retention_ms)
        self.disk = disk
        self._stored: dict[int, StoredSegment] = {}
        self._segments = cast("dict[int, Segment]", self._stored)  # all segments that are made here are stored ones
        self._looked_at: dict[int, StoredSegment] = {}  # whose rows may have become more since they were counted
        self._unsettled: list[StoredSegment] = []
        self._free: list[int] = []  # forgotten starts that the disk still has
        self._count = 0
        self._encoded = [0, 0]  # rows and bytes that were encoded so far: what a row takes on average
        note = disk.note()
        if note is not None:
            self._newest, self.newest_start = NOTE.unpack(note)

    def __len__(self) -> int:
        """About as many as there are."""
        return self.disk.about()

    def segment(self, start: int) -> Segment:
        found = super().segment(start)
        if start in self._stored:
            self._looked_at[start] = self._stored[start]
        return found

    def _made(self, start: int, *, complete: bool = True) -> StoredSegment:
        prefix, window, encode = TIME.pack(start), self.window(start), self.key.encode

        def load(key: Any) -> Row | None:
            data = self.disk.get(prefix + encode(key))
            return None if data is None else self._row(data, key, window)

        return StoredSegment(window, load, complete=complete)

    def _row(self, data: bytes, key: Any, window: Window) -> Row:
        return [self.value.decode(data[8:]), TIME.unpack_from(data)[0], key, window, None]

    def find(self, key: Any, start: int) -> Row | None:
        segment = self._stored.get(start)
        if segment is None or start <= self.gone:
            return None
        self._looked_at[start] = segment
        return segment.get(key)

    def in_key_order(self, start: int) -> Iterator[tuple[bytes, Any, Row]]:
        segment = self._stored.get(start)
        if segment is None or start <= self.gone:
            return
        known = segment.known
        if known.complete:
            yield from in_order(self.key, list(chain(known.items(), known.older.items())))
            return
        prefix, encode = TIME.pack(start), self.key.encode
        changed = {key: known[key] for key in chain(segment.dirty, segment.unwritten)}
        fresh: list[tuple[bytes, Any]] = sorted(
            ((prefix + encode(key), (key, row)) for key, row in changed.items()), key=lambda item: item[0]
        )
        stored: Iterator[tuple[bytes, Any]] = self.disk.scan(prefix, after_prefix(prefix))
        for data, found in merged(stored, iter(fresh)):
            if isinstance(found, bytes):
                key = self.key.decode(data[8:])
                yield data[8:], key, self._row(found, key, segment.window)
            elif found[1] is not None:
                yield data[8:], *found

    def forget(self) -> None:
        self.gone = max(self.gone, self.limit())
        start = self._order.first()
        while start is not None and start <= self.gone:
            segment = self._stored[start]
            if segment.dirty or segment.unwritten:
                return
            self._order.remove(start)
            self._count -= segment.counted
            self._looked_at.pop(start, None)
            del self._stored[start]
            self._free.append(start)
            start = self._order.first()

    def _taken(self, segment: Segment) -> None:
        assert isinstance(segment, StoredSegment)
        segment.unwritten.update(segment.dirty)
        self._unsettled.append(segment)
        super()._taken(segment)

    def restore(self, batch: Batch) -> None:
        raise AssertionError("what is restored goes to disk")

    # --- with a disk

    def write(self, records: Records, into: DiskBatch) -> None:
        """The form on disk of changelog records; what was forgotten since the last call is deleted."""
        put, delete, pack, newest_start, size = into.put, into.delete, TIME.pack, b"", 0
        for data, value, timestamp in zip(records.keys, records.values, records.timestamps, strict=True):
            if data is None:
                continue
            start = data[-SUFFIX.size : -4]
            key = start + data[: -SUFFIX.size]
            if start > newest_start:
                newest_start = start
            if value is None:
                delete(key)
                continue
            put(key, pack(timestamp) + value)
            size += len(key) + len(value)
            if timestamp > self._newest:
                self._newest = timestamp
        self._encoded[0] += len(records.keys)
        self._encoded[1] += size
        if newest_start:
            self.newest_start = max(self.newest_start, TIME.unpack(newest_start)[0])
        if self._free:
            into.delete_range(pack(self._free[0]), pack(self._free[-1] + 1))
            self._free.clear()
        into.note(NOTE.pack(self._newest, self.newest_start))

    def written(self) -> None:
        """What `take_changes` gave is on disk."""
        for segment in self._unsettled:
            segment.unwritten.clear()
        self._unsettled.clear()

    def opened(self) -> None:
        """Which moments have windows on disk has to be known."""
        for start in stored_times(self.disk):
            if start not in self._stored:
                self._stored[start] = self._made(start, complete=False)
                self._order.add(start)
        self.forget()

    @property
    def cached_bytes(self) -> int:
        for segment in self._looked_at.values():
            size = segment.size()
            self._count += size - segment.counted
            segment.counted = size
        self._looked_at = {start: segment for start, segment in self._looked_at.items() if segment.dirty}
        return self._share(self._count)

    @property
    def dirty_bytes(self) -> int:
        dirty = sum(len(segment.dirty) for segment in self._touched.values())
        return self._share(dirty + sum(len(segment.unwritten) for segment in self._unsettled))

    def _share(self, rows: int) -> int:
        """About what so many rows take."""
        encoded, size = self._encoded
        return rows * (ROW_BYTES + (size // encoded if encoded else 0))

    def evict(self) -> None:
        """Forget clean rows that were not used lately; called twice, all of them."""
        for start, segment in self._stored.items():
            if segment.counted or start in self._looked_at:
                segment.evict()
                self._looked_at[start] = segment
