"""Who is to be told of a right row: the subscriptions of a foreign-key join, by foreign key and left key (rule F13)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from struct import Struct
from typing import TypeAlias

from millstream.model import Batch
from millstream.serde.subscription import Request, RequestSerde
from millstream.state.changes import Changes
from millstream.state.disk import Disk, DiskBatch, Records, after_prefix, merged

Place: TypeAlias = tuple[bytes, bytes]  # foreign key and left key

_SIZE = Struct(">i")
_SERDE = RequestSerde()
REQUEST_BYTES = 600  # what a request and its place take in memory, about


class SubscriptionRows:
    """Requests under (foreign key, left key), both as bytes; those of one foreign key lie in the order of left keys.

    With a disk, only requests that it does not have yet are live objects: a right row is rarely told twice within one
    commit, and may have more subscribers than memory holds.
    """

    def __init__(self, name: str, disk: Disk | None = None) -> None:
        self.name = name
        self.disk = disk
        self._left_keys: dict[bytes, list[bytes]] = {}
        self._requests: dict[Place, Request | None] = {}  # with a disk None is a delete
        self._dirty: dict[Place, int] = {}
        self._unwritten: set[Place] = set()  # taken for the changelog, and not on disk yet

    def __len__(self) -> int:
        """On disk about as many."""
        return len(self._requests) if self.disk is None else self.disk.about()

    def put(self, foreign_key: bytes, request: Request, timestamp: int) -> None:
        place = (foreign_key, request.left_key)
        if place not in self._requests:
            insort(self._left_keys.setdefault(foreign_key, []), request.left_key)
        self._requests[place] = request
        self._dirty[place] = timestamp

    def delete(self, foreign_key: bytes, left_key: bytes, timestamp: int) -> None:
        place = (foreign_key, left_key)
        if self.disk is None:
            self._remove(place)
        else:
            if place not in self._requests:
                insort(self._left_keys.setdefault(foreign_key, []), left_key)
            self._requests[place] = None
        self._dirty[place] = timestamp

    def of(self, foreign_key: bytes) -> Iterator[Request]:
        """All requests for one foreign key, by left key."""
        left_keys = self._left_keys.get(foreign_key, ())
        live = ((left_key, self._requests[foreign_key, left_key]) for left_key in left_keys)
        found = live if self.disk is None else merged(self._stored(self.disk, foreign_key), live)
        return (request for _, request in found if request is not None)

    @staticmethod
    def _stored(disk: Disk, foreign_key: bytes) -> Iterator[tuple[bytes, Request | None]]:
        prefix = _joined((foreign_key, b""))
        return ((key[len(prefix) :], _SERDE.decode(data)) for key, data in disk.scan(prefix, after_prefix(prefix)))

    def _remove(self, place: Place) -> None:
        foreign_key, left_key = place
        if self._requests.pop(place, None) is not None or self.disk is not None:
            keys = self._left_keys[foreign_key]
            del keys[bisect_left(keys, left_key)]
            if not keys:
                del self._left_keys[foreign_key]

    def newest(self) -> int:
        """Requests have no time of their own here."""
        return -1

    # --- changelog (rule F13)

    def take_changes(self) -> Changes:
        """The last request of each place changed since the last call; a deleted one as null."""
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        for place in self._dirty:
            request = self._requests.get(place)
            keys.append(_joined(place))
            values.append(None if request is None else _SERDE.encode(request))
        changes = Changes(list(self._dirty.values()), keys, values)
        if self.disk is not None:
            self._unwritten.update(self._dirty)
        self._dirty.clear()
        return changes

    def restore(self, batch: Batch) -> None:
        """Apply changelog records to a store without a disk."""
        for data, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if data is None:
                continue
            size = _SIZE.unpack_from(data)[0]
            foreign_key, left_key = data[4 : 4 + size], data[4 + size :]
            if value is None:
                self.delete(foreign_key, left_key, timestamp)
            else:
                self.put(foreign_key, _SERDE.decode(value), timestamp)
        self._dirty.clear()

    # --- with a disk

    @staticmethod
    def write(records: Records, into: DiskBatch) -> None:
        """The form on disk of changelog records is their own."""
        for key, value in zip(records.keys, records.values, strict=True):
            if key is None:
                continue
            if value is None:
                into.delete(key)
            else:
                into.put(key, value)

    def written(self) -> None:
        """What `take_changes` gave is on disk, and need not be live."""
        for place in self._unwritten:
            if place not in self._dirty:
                self._remove(place)
        self._unwritten.clear()

    def opened(self) -> None:
        """Nothing needs to be known at once."""

    @property
    def cached_bytes(self) -> int:
        return self.dirty_bytes

    @property
    def dirty_bytes(self) -> int:
        return len(self._requests) * REQUEST_BYTES

    def evict(self) -> None:
        """All that is live is not on disk yet."""


def _joined(place: Place) -> bytes:
    foreign_key, left_key = place
    return _SIZE.pack(len(foreign_key)) + foreign_key + left_key
