"""Who is to be told of a right row: the subscriptions of a foreign-key join, by foreign key and left key (rule F13)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from struct import Struct

from millstream.model import Batch
from millstream.serde.subscription import Request, RequestSerde
from millstream.state.changes import Changes

_SIZE = Struct(">i")
_SERDE = RequestSerde()


class SubscriptionRows:
    """Requests under (foreign key, left key), both as bytes; those of one foreign key lie in the order of left keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._left_keys: dict[bytes, list[bytes]] = {}
        self._requests: dict[tuple[bytes, bytes], Request] = {}
        self._dirty: dict[tuple[bytes, bytes], int] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def put(self, foreign_key: bytes, request: Request, timestamp: int) -> None:
        place = (foreign_key, request.left_key)
        if place not in self._requests:
            insort(self._left_keys.setdefault(foreign_key, []), request.left_key)
        self._requests[place] = request
        self._dirty[place] = timestamp

    def delete(self, foreign_key: bytes, left_key: bytes, timestamp: int) -> None:
        place = (foreign_key, left_key)
        if self._requests.pop(place, None) is not None:
            keys = self._left_keys[foreign_key]
            del keys[bisect_left(keys, left_key)]
            if not keys:
                del self._left_keys[foreign_key]
        self._dirty[place] = timestamp

    def of(self, foreign_key: bytes) -> Sequence[Request]:
        """All requests for one foreign key, by left key."""
        return [self._requests[foreign_key, left_key] for left_key in self._left_keys.get(foreign_key, ())]

    def newest(self) -> int:
        """Requests have no time of their own here."""
        return -1

    # --- changelog (rule F13)

    def take_changes(self) -> Changes:
        """The last request of each place changed since the last call; a deleted one as null."""
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        for foreign_key, left_key in self._dirty:
            request = self._requests.get((foreign_key, left_key))
            keys.append(_SIZE.pack(len(foreign_key)) + foreign_key + left_key)
            values.append(None if request is None else _SERDE.encode(request))
        changes = Changes(list(self._dirty.values()), keys, values)
        self._dirty.clear()
        return changes

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
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
