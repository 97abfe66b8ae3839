"""Window stores on disk in which a key's windows are found together, by a span of their starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from millstream.model import Batch
from millstream.serde import Serde, Windowed
from millstream.state.cache import ROW_BYTES, RowCache
from millstream.state.changes import Changes
from millstream.state.disk import Disk, DiskBatch, Records, merged
from millstream.state.disk_pieces import TIME, stored_times
from millstream.state.keyvalue import Row
from millstream.state.ordered import OrderedTimes
from millstream.state.window import LAST_MS, SUFFIX, Segment, WindowRows, windowed_key
from millstream.state.window_disk import NOTE

Group: TypeAlias = dict[int, Row]  # one key's windows that start in one piece of time, by start
Place: TypeAlias = tuple[int, Any]  # the piece, the key

_ROWS, _STARTS = b"r", b"s"


class KeyWindowRows(WindowRows):
    """A window store over a disk; what is cached is a key's windows of a piece of time, half of the retention.

    On disk a row's place is its piece, key and start, so that those of a key are read by one short scan. Beside it
    stands its start before its key, without a value: so they are found by time. Whole pieces are forgotten at once.
    """

    def __init__(
        self, name: str, serdes: tuple[Serde[Any], Serde[Any]], size_ms: int, retention_ms: int, *, disk: Disk
    ) -> None:
        super().__init__(name, serdes, size_ms, retention_ms, by_key=True)
        self.disk = disk
        self._piece_ms = max(retention_ms // 2, 1)
        self._cache = RowCache[Place, Group](self._load)
        self._dirty: dict[tuple[int, Any], int] = {}  # by start and key
        self._unwritten: dict[tuple[int, Any], int] = {}
        self._fresh: dict[int, set[Any]] = {}  # the keys of both, by start
        self._fresh_starts = OrderedTimes()
        self._last_piece = -1  # of those on disk
        self._freed = -1  # pieces up to here are deleted
        note = disk.note()
        if note is not None:
            self._newest, self.newest_start = NOTE.unpack(note)

    def __len__(self) -> int:
        """About as many as there are."""
        return self.disk.about() // 2

    # --- windows that start at one moment

    def segment(self, start: int) -> Segment:
        raise AssertionError("rows of these stores are put one by one")

    def in_key_order(self, start: int) -> Iterator[tuple[bytes, Any, Row]]:
        if start <= self.gone:
            return
        encode = self.key.encode
        prefix = _STARTS + TIME.pack(start)
        fresh = sorted((prefix + encode(key), b"") for key in self._fresh.get(start, ()))
        for data, _ in merged(self.disk.scan(prefix, _STARTS + TIME.pack(start + 1)), iter(fresh)):
            key = self.key.decode(data[len(prefix) :])
            row = self.find(key, start)
            if row is not None:
                yield data[len(prefix) :], key, row

    def starts(self) -> list[int]:
        found = {*stored_times(self.disk, _STARTS), *self._fresh}
        return sorted(start for start in found if start > self.gone)

    def next_start(self, after: int) -> int | None:
        after = max(after, self.gone)
        fresh = self._fresh_starts.after(after)
        end = b"t" if fresh is None else _STARTS + TIME.pack(fresh)
        stored = next(self.disk.scan(_STARTS + TIME.pack(after + 1), end), None)
        return fresh if stored is None else TIME.unpack_from(stored[0], 1)[0]

    # --- one key

    def find(self, key: Any, start: int) -> Row | None:
        return None if start <= self.gone else self._group(start, key).get(start)

    def starts_of(self, key: Any, first: int, last: int) -> list[int]:
        first, last = max(first, self.gone + 1), min(last, self.newest_start)
        found: list[int] = []
        for piece in range(first // self._piece_ms, last // self._piece_ms + 1):
            group = self._cache[piece, key]
            found += sorted(start for start in group or () if first <= start <= last)
        return found

    def put(self, key: Any, start: int, value: Any, timestamp: int) -> Windowed[Any]:
        if start > self.newest_start:
            self.newest_start = start
            self.forget()
        if start <= self.gone:
            return Windowed(key, self.window(start))
        group, window = self._group(start, key), self.window(start)
        row = group.get(start)
        windowed: Windowed[Any] = Windowed(key, window) if row is None else windowed_key(row)
        self._note(start, key, timestamp)
        if value is None:
            group.pop(start, None)
        elif row is None:
            group[start] = [value, timestamp, key, window, windowed]
            if self.watch is not None:
                self.watch(start)
        else:
            row[0], row[1] = value, timestamp
        return windowed

    def _group(self, start: int, key: Any) -> Group:
        group = self._cache[self._place(start, key)]
        assert group is not None
        return group

    def _place(self, start: int, key: Any) -> Place:
        return start // self._piece_ms, key

    def _load(self, place: Place) -> tuple[Group, int]:
        piece, key = place
        if piece > self._last_piece:
            return {}, 0
        prefix = _ROWS + TIME.pack(piece) + self.key.encode(key)
        first, last = piece * self._piece_ms, min((piece + 1) * self._piece_ms, LAST_MS)
        group, size = Group(), 0
        for data, value in self.disk.scan(prefix + TIME.pack(first), prefix + TIME.pack(last)):
            if len(data) != len(prefix) + TIME.size:  # of a longer key that begins like this one
                continue
            start = TIME.unpack_from(data, len(prefix))[0]
            group[start] = [self.value.decode(value[8:]), TIME.unpack_from(value)[0], key, self.window(start), None]
            size += ROW_BYTES + len(data) + len(value)
        return group, size

    def _note(self, start: int, key: Any, timestamp: int) -> None:
        self._dirty[start, key] = timestamp
        keys = self._fresh.get(start)
        if keys is None:
            self._fresh[start] = {key}
            self._fresh_starts.add(start)
        else:
            keys.add(key)

    def forget(self) -> None:
        self.gone = max(self.gone, self.limit())

    # --- changelog (rule F2)

    def take_changes(self) -> Changes:
        encode_key, encode_value, suffix = self.key.encode, self.value.encode, SUFFIX.pack
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        timestamps: list[int] = []
        for (start, key), timestamp in self._dirty.items():
            group = self._group(start, key)
            row = group.get(start)
            value = None if row is None else encode_value(row[0])
            keys.append(encode_key(key) + suffix(start, 0))
            values.append(value)
            timestamps.append(timestamp if row is None else row[1])
            row_size = ROW_BYTES + len(keys[-1] or b"") + len(value or b"")
            self._cache.sized(self._place(start, key), len(group) * row_size)
        self._unwritten |= self._dirty
        self._dirty.clear()
        self.forget()
        return Changes(timestamps, keys, values)

    def restore(self, batch: Batch) -> None:
        raise AssertionError("what is restored goes to disk")

    # --- with a disk

    def write(self, records: Records, into: DiskBatch) -> None:
        """The form on disk of changelog records; pieces that were forgotten since the last call are deleted."""
        pack = TIME.pack
        for data, value, timestamp in zip(records.keys, records.values, records.timestamps, strict=True):
            if data is None:
                continue
            packed, key = data[-SUFFIX.size : -4], data[: -SUFFIX.size]
            start = TIME.unpack(packed)[0]
            piece = start // self._piece_ms
            if piece <= self._freed:
                continue
            row, by_start = _ROWS + pack(piece) + key + packed, _STARTS + packed + key
            self.newest_start = max(self.newest_start, start)
            if value is None:
                into.delete(row)
                into.delete(by_start)
                continue
            into.put(row, pack(timestamp) + value)
            into.put(by_start, b"")
            self._newest = max(self._newest, timestamp)
            self._last_piece = max(self._last_piece, piece)
        self._free(into)
        into.note(NOTE.pack(self._newest, self.newest_start))

    def _free(self, into: DiskBatch) -> None:
        until = (self.gone + 1) // self._piece_ms - 1  # the last piece that is gone as a whole
        if until <= self._freed:
            return
        pack, first = TIME.pack, self._freed + 1
        into.delete_range(_ROWS + pack(first), _ROWS + pack(until + 1))
        into.delete_range(_STARTS + pack(first * self._piece_ms), _STARTS + pack((until + 1) * self._piece_ms))
        self._freed = until
        unlogged = {self._place(start, key) for start, key in self._dirty}
        self._cache.drop([place for place in self._cache if place[0] <= until and place not in unlogged])

    def written(self) -> None:
        """What `take_changes` gave is on disk."""
        for start, key in self._unwritten:
            if (start, key) not in self._dirty:
                keys = self._fresh[start]
                keys.discard(key)
                if not keys:
                    del self._fresh[start]
                    self._fresh_starts.remove(start)
        self._unwritten.clear()

    def opened(self) -> None:
        """Nothing more has to be known at once."""
        self._last_piece = self.newest_start // self._piece_ms
        self.forget()

    @property
    def cached_bytes(self) -> int:
        return self._cache.bytes

    @property
    def dirty_bytes(self) -> int:
        return self._cache.share(len(self._dirty) + len(self._unwritten))

    def evict(self) -> None:
        """Forget clean rows that were not used lately; called twice, all of them."""
        self._cache.evict({self._place(start, key) for rows in (self._dirty, self._unwritten) for start, key in rows})
