"""Versioned key-value stores: what a key's value was at any moment within the history (rules K15, K16)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Set
from operator import itemgetter
from struct import Struct
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.cache import RowCache
from millstream.state.changes import Changes
from millstream.state.disk import Disk, DiskBatch, Records, merged
from millstream.state.key_index import KeyIndex
from millstream.state.keyvalue import Row
from millstream.state.versions import Versions, latest_on, place_of, stored_version, versions_on

_NEWEST = Struct(">q")
VERSION_BYTES = 100  # what a version takes in memory beside its value's bytes, about


class VersionedRows:
    """The rows of one task's versioned store. A version holds from its timestamp until the next one's.

    >>> from millstream.serde import STRING
    >>> rows = VersionedRows("prices", (STRING, STRING), history_ms=50)
    >>> rows.put("a", "new", 100), rows.put("a", "old", 60), rows.put("a", "too old", 49)
    (True, False, None)
    >>> rows.get("a"), rows.at("a", 70)
    (['new', 100], ['old', 60])

    With a disk, live rows are a cache over it, of all versions of a key together.
    """

    def __init__(
        self, name: str, serdes: tuple[Serde[Any], Serde[Any]], history_ms: int, disk: Disk | None = None
    ) -> None:
        self.name = name
        self.key, self.value = serdes
        self.history_ms = history_ms
        self.disk = disk
        self._newest = -1
        self._keys: dict[Any, Versions | None]
        self._find: Callable[[Any], Versions | None]
        self._index: KeyIndex | None = None  # of a store without a disk, once it was walked
        self._changes: list[tuple[Any, Any, int]] = []
        self._unwritten: set[Any] = set()  # keys taken for the changelog, and not on disk yet
        self._gone: list[bytes] = []  # places of forgotten versions
        if disk is None:
            self._keys = {}
            self._find = self._keys.get
        else:
            self._keys = self._cache = RowCache[Any, Versions](self._load)
            self._find = self._cache.__getitem__
            noted = disk.note()
            if noted is not None:  # before anything is restored and noted
                self._newest = _NEWEST.unpack(noted)[0]

    def __len__(self) -> int:
        """On disk about as many, and deletes and older versions count too."""
        if self.disk is not None:
            return self.disk.about()
        return sum(versions is not None and versions.values[-1] is not None for versions in self._keys.values())

    def get(self, key: Any) -> Row | None:
        """The latest version as [value, timestamp]; None if there is none or it is a delete."""
        versions = self._find(key)
        if versions is None or versions.values[-1] is None:
            return None
        return [versions.values[-1], versions.timestamps[-1]]

    def at(self, key: Any, timestamp: int) -> Row | None:
        """The version that held at a moment; from before the history only the latest version is known."""
        versions = self._find(key)
        if versions is None:
            return None
        place = bisect_right(versions.timestamps, timestamp) - 1
        if place < 0 or (timestamp < self._newest - self.history_ms and place < len(versions.values) - 1):
            return None
        value = versions.values[place]
        return None if value is None else [value, versions.timestamps[place]]

    def versions(self, key: Any) -> list[tuple[int, Any]]:
        """The timestamp and value of every version of a key that held within the history, the oldest first."""
        versions = self._find(key)
        if versions is None:
            return []
        first = max(bisect_right(versions.timestamps, self._newest - self.history_ms) - 1, 0)
        return list(zip(versions.timestamps[first:], versions.values[first:], strict=True))

    def put(self, key: Any, value: Any, timestamp: int) -> bool | None:
        """Store a version; whether it is the key's latest, or None when it is older than the history."""
        latest = self._store(key, value, timestamp)
        if latest is not None:
            self._changes.append((key, value, timestamp))
        return latest

    def delete(self, key: Any, timestamp: int) -> bool | None:
        return self.put(key, None, timestamp)

    def newest(self) -> int:
        """The largest timestamp ever put."""
        return self._newest

    def scan(
        self, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, Any, Row]]:
        """The latest version of every key that has one, with the keys' bytes and in the order of these."""
        if self.disk is not None:
            yield from self._merged(self.disk, first, end, reverse)
            return
        if self._index is None:
            self._index = KeyIndex(self.key.encode, self._keys)
        found = [(data, key, self.get(key)) for data, key in self._index.scan(first, end, reverse=reverse)]
        yield from [(data, key, row) for data, key, row in found if row is not None]

    def _store(self, key: Any, value: Any, timestamp: int) -> bool | None:
        self._newest = max(self._newest, timestamp)
        horizon = self._newest - self.history_ms
        if timestamp < horizon:
            return None
        versions = self._find(key)
        if versions is None:
            versions = self._keys[key] = Versions()
            if self._index is not None:
                self._index.changed((key,))
        latest = versions.put(value, timestamp)
        forgotten = versions.forget(horizon)
        if forgotten and self.disk is not None:
            data = self.key.encode(key)
            self._gone += [place_of(data, each) for each in forgotten]
        return latest

    # --- changelog (rule F7)

    def take_changes(self) -> Changes:
        """Every version put since the last call, in that order, each at its own timestamp."""
        encode_key, encode_value = self.key.encode, self.value.encode
        changes = Changes(
            [timestamp for _, _, timestamp in self._changes],
            [encode_key(key) for key, _, _ in self._changes],
            [None if value is None else encode_value(value) for _, value, _ in self._changes],
        )
        if self.disk is not None:
            self._unwritten |= self._changed()
            for (key, _, _), value in zip(self._changes, changes.values, strict=True):
                versions = self._find(key)
                assert versions is not None
                self._cache.sized(key, len(versions.timestamps) * (len(value or b"") + VERSION_BYTES))
        self._changes.clear()
        return changes

    def restore(self, batch: Batch) -> None:
        """Apply changelog records to a store without a disk."""
        decode_key, decode_value = self.key.decode, self.value.decode
        for key, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if key is not None:
                self._store(decode_key(key), None if value is None else decode_value(value), timestamp)

    # --- with a disk

    def write(self, records: Records, into: DiskBatch) -> None:
        """The form on disk of changelog records: a row for each version. What was forgotten is deleted."""
        for key, value, timestamp in zip(records.keys, records.values, records.timestamps, strict=True):
            if key is not None:
                into.put(place_of(key, timestamp), stored_version(value))
        for place in self._gone:
            into.delete(place)
        self._newest = max(self._newest, max(records.timestamps, default=-1))
        into.note(_NEWEST.pack(self._newest))

    def written(self) -> None:
        """What `take_changes` gave is on disk."""
        self._unwritten.clear()
        self._gone.clear()

    def opened(self) -> None:
        """The disk has all that was written before; nothing more needs to be known at once."""

    @property
    def cached_bytes(self) -> int:
        return self._cache.bytes

    @property
    def dirty_bytes(self) -> int:
        return self._cache.share(len(self._changes) + len(self._unwritten))

    def evict(self) -> None:
        """Forget clean rows that were not used lately; called twice, all of them."""
        self._cache.evict(self._changed() | self._unwritten)

    def _changed(self) -> Set[Any]:
        return {key for key, _, _ in self._changes}

    def _load(self, key: Any) -> tuple[Versions | None, int]:
        assert self.disk is not None
        data, decode = self.key.encode(key), self.value.decode
        versions, size = Versions(), len(data)
        for timestamp, value in versions_on(self.disk, data):
            versions.timestamps.append(timestamp)
            versions.values.append(None if value is None else decode(value))
            size += len(value or b"") + VERSION_BYTES
        return (versions if versions.timestamps else None), size

    def _merged(self, disk: Disk, first: bytes, end: bytes | None, reverse: bool) -> Iterator[tuple[bytes, Any, Row]]:
        """Keys on disk, and before them those with versions that it does not have yet."""
        encode, decode = self.key.encode, self.key.decode
        changed = ((encode(key), key, self.get(key)) for key in self._changed() | self._unwritten)
        fresh = [(data, (key, row)) for data, key, row in changed if first <= data and (end is None or data < end)]
        fresh.sort(key=itemgetter(0), reverse=reverse)
        latest = latest_on(disk, first, end, reverse=reverse)
        stored = ((data, (decode(data), self._row(version))) for data, version in latest)
        for data, (key, row) in merged(stored, iter(fresh), reverse=reverse):
            if row is not None:
                yield data, key, row

    def _row(self, version: tuple[int, bytes | None]) -> Row | None:
        timestamp, value = version
        return None if value is None else [self.value.decode(value), timestamp]
