"""Key-value stores: live objects, a note of which keys the changelog does not have yet, and a disk below or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from struct import Struct
from typing import Any, TypeAlias, cast

from millstream.model import Batch
from millstream.serde import Serde, all_decoded
from millstream.state.cache import RowCache
from millstream.state.changes import Changes
from millstream.state.disk import Disk, DiskBatch, Records, merged
from millstream.state.key_index import KeyIndex

Row: TypeAlias = list[Any]  # [value, timestamp]: mutable, so that a hot key is updated without another look-up

_TIME = Struct(">q")


class KeyValueRows:
    """The rows of one task's store, as the engine's nodes use them.

    `get(key)` gives the row itself. Whoever changes a row in place calls `touch(key, timestamp)`, so that the next
    changelog has it. Keys are compared as Python objects; their serde makes equal bytes of equal keys.

    With a disk, live rows are a cache over it; on disk a value stands behind its timestamp (rule F1). A row that was
    given out may be changed until `evict`.
    """

    def __init__(self, name: str, key: Serde[Any], value: Serde[Any], disk: Disk | None = None) -> None:
        self.name = name
        self.key = key
        self.value = value
        self.disk = disk
        self._rows: dict[Any, Row | None]
        self._dirty: dict[Any, int] = {}
        self._unwritten: dict[Any, int] = {}  # taken for the changelog, and not on disk yet
        self._index: KeyIndex | None = None  # of a store without a disk, once it was walked
        self.touch: Callable[[Any, int], None] = self._dirty.__setitem__
        self.get: Callable[[Any], Row | None]
        if disk is None:
            self._rows = {}
            self.get = self._rows.get
        else:
            self._rows = self._cache = RowCache[Any, Row](self._load)
            self.get = self._cache.__getitem__

    def __len__(self) -> int:
        """On disk about as many."""
        return len(self._rows) if self.disk is None else self.disk.about()

    def put(self, key: Any, value: Any, timestamp: int) -> None:
        self._rows[key] = [value, timestamp]
        self._dirty[key] = timestamp

    def delete(self, key: Any, timestamp: int) -> None:
        if self.disk is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = None  # known not to be there, whatever the disk still has
        self._dirty[key] = timestamp

    def scan(
        self, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, Any, Row]]:
        """Rows with their keys' bytes, in the order of these, up to and without `end` (rule P9).

        They are copies, as they were when the scan began.
        """
        if self.disk is not None:
            yield from self._merged(self.disk, first, end, reverse)
            return
        if self._index is None:
            self._index = KeyIndex(self.key.encode, self._rows)
        self._index.changed(self._dirty)
        found = [(data, key, self._rows[key]) for data, key in self._index.scan(first, end, reverse=reverse)]
        yield from [(data, key, row.copy()) for data, key, row in found if row is not None]

    # --- changelog (rule F1)

    def take_changes(self) -> Changes:
        """The last value of each key changed since the last call; a deleted one as null."""
        encode_key, encode_value, rows = self.key.encode, self.value.encode, self._rows
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        timestamps: list[int] = []
        for key, timestamp in self._dirty.items():
            row = rows.get(key)
            keys.append(encode_key(key))
            values.append(None if row is None else encode_value(row[0]))
            timestamps.append(timestamp if row is None else row[1])
        if self.disk is not None:
            self._take(keys, values)
        elif self._index is not None:
            self._index.changed(self._dirty)
        self._dirty.clear()
        return Changes(timestamps, keys, values)

    def restore(self, batch: Batch) -> None:
        """Apply changelog records to a store without a disk."""
        decode_key, decode_value, rows = self.key.decode, self.value.decode, self._rows
        if self._index is None and None not in batch.keys and None not in batch.values:
            keys = all_decoded(self.key, cast("Sequence[bytes]", batch.keys))
            values = all_decoded(self.value, cast("Sequence[bytes]", batch.values))
            for key, value, timestamp in zip(keys, values, batch.timestamps, strict=True):
                rows[key] = [value, timestamp]
            return
        for data, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if data is None:
                continue
            key = decode_key(data)
            if self._index is not None:
                self._index.changed((key,))
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = [decode_value(value), timestamp]

    # --- with a disk

    @staticmethod
    def write(records: Records, into: DiskBatch) -> None:
        """The form on disk of changelog records."""
        put, delete, pack = into.put, into.delete, _TIME.pack
        for key, value, timestamp in zip(records.keys, records.values, records.timestamps, strict=True):
            if key is None:
                continue
            if value is None:
                delete(key)
            else:
                put(key, pack(timestamp) + value)

    def written(self) -> None:
        """What `take_changes` gave is on disk."""
        self._unwritten.clear()

    def opened(self) -> None:
        """The disk has all that was written before; nothing of it needs to be known at once."""

    @property
    def cached_bytes(self) -> int:
        return self._cache.bytes

    @property
    def dirty_bytes(self) -> int:
        return self._cache.share(len(self._dirty) + len(self._unwritten))

    def evict(self) -> None:
        """Forget clean rows that were not used lately; called twice, all of them."""
        self._cache.evict(self._dirty | self._unwritten)

    def _load(self, key: Any) -> tuple[Row | None, int]:
        assert self.disk is not None
        data = self.key.encode(key)
        value = self.disk.get(data)
        return (None, len(data)) if value is None else (self._decoded(value), len(data) + len(value))

    def _decoded(self, value: bytes) -> Row:
        return [self.value.decode(value[8:]), _TIME.unpack_from(value)[0]]

    def _take(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> None:
        """Note what was encoded: the rows' sizes, and that they are not on disk yet."""
        self._unwritten |= self._dirty
        sized = self._cache.sized
        for key, data, value in zip(self._dirty, keys, values, strict=True):
            sized(key, len(data or b"") + len(value or b""))

    def _merged(self, disk: Disk, first: bytes, end: bytes | None, reverse: bool) -> Iterator[tuple[bytes, Any, Row]]:
        """Rows of the disk, and before them those that it does not have yet."""
        encode, decode, rows = self.key.encode, self.key.decode, self._rows
        changed = ((encode(key), key, rows[key]) for key in self._dirty | self._unwritten)
        fresh = [
            (data, (key, None if row is None else row.copy()))
            for data, key, row in changed
            if first <= data and (end is None or data < end)
        ]
        fresh.sort(key=itemgetter(0), reverse=reverse)
        rows_there = disk.scan(first, end, reverse=reverse)
        stored: Iterator[tuple[bytes, tuple[Any, Row | None]]] = (
            (data, (decode(data), self._decoded(value))) for data, value in rows_there
        )
        for data, (key, row) in merged(stored, iter(fresh), reverse=reverse):
            if row is not None:
                yield data, key, row
