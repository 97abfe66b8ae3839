"""Updates that suppression holds back: one for each key, in the order in which they are due (rules E11-E15, F9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

from millstream.model import NO_TIMESTAMP, Batch, Headers, TopicPartition
from millstream.serde import Serde
from millstream.state.changes import Changes
from millstream.state.record_context import Values, read_change, written_change

_HEADERS: Headers = (("v", b"\x03"),)  # of the form that the values have
_FIXED_BYTES = 8 + 20  # buffer time, timestamp, offset and partition


@dataclass(frozen=True, slots=True)
class Held:
    """The last update of a key, and where it came from. `prior` is what was passed on for the key before."""

    key: Any
    new: Any
    old: Any
    prior: Any
    timestamp: int
    headers: Headers
    source: TopicPartition
    offset: int


class SuppressRows:
    """Updates by buffer time and key bytes. With `sized`, `bytes` is what they take, as Kafka Streams counts it."""

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]]) -> None:
        self.name = name
        self.key, self.value = serdes
        self.sized = False
        self.bytes = 0
        self._heap: list[tuple[int, bytes]] = []
        self._in_order = True  # else the heap is made anew by who needs it: copies are restored and restored
        self._held: dict[bytes, tuple[int, Held, int]] = {}  # by key bytes: buffer time, update, size
        self._dirty: dict[bytes, None] = {}
        self._logged: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def first_time(self) -> int | None:
        """The buffer time of the first in order."""
        heap = self._ordered()
        return heap[0][0] if heap else None

    def find(self, key: Any) -> Held | None:
        found = self._held.get(self.key.encode(key))
        return None if found is None else found[1]

    def put(self, time: int, update: Held) -> None:
        """Hold an update; a key that is held already keeps its place, and what was prior to it (rule E12)."""
        data = self.key.encode(update.key)
        known = self._held.get(data)
        if known is None:
            heappush(self._ordered(), (time, data))
        else:
            time = known[0]
            update = Held(
                update.key,
                update.new,
                update.old,
                known[1].prior,
                update.timestamp,
                update.headers,
                update.source,
                update.offset,
            )
            self.bytes -= known[2]
        self._hold(data, time, update)
        self._dirty[data] = None

    def first(self) -> Held:
        """The first in order."""
        heap = self._ordered()
        return self._held[heap[0][1]][1]

    def remove_first(self) -> None:
        """Take out the first in order."""
        _, data = heappop(self._ordered())
        self.bytes -= self._held.pop(data)[2]
        self._dirty[data] = None

    def newest(self) -> int:
        """The largest timestamp held, -1 if there is none."""
        return max((update.timestamp for _, update, _ in self._held.values()), default=-1)

    def count_bytes(self) -> None:
        """Keep count of the bytes from now on, of what is held already too."""
        self.sized = True
        self.bytes = 0
        for data, (time, update, _) in list(self._held.items()):
            self._hold(data, time, update)

    def all(self) -> Mapping[Any, Held]:
        return {update.key: update for _, update, _ in self._held.values()}

    def _hold(self, data: bytes, time: int, update: Held) -> None:
        size = self._size(data, update) if self.sized else 0
        self._held[data] = (time, update, size)
        self.bytes += size

    def _size(self, data: bytes, update: Held) -> int:
        """Rule E14."""
        values = self._values(update)
        size = _FIXED_BYTES + len(data) + len(update.source.topic) + len(values.prior or b"") + len(values.new or b"")
        if values.old != values.prior:
            size += len(values.old or b"")
        return size + sum(len(name) + len(text or b"") for name, text in update.headers)

    def _values(self, update: Held) -> Values:
        encoded = [
            None if value is None else self.value.encode(value) for value in (update.prior, update.old, update.new)
        ]
        return Values(*encoded)

    # --- changelog (rule F9)

    def take_changes(self) -> Changes:
        """What is held of the keys that changed since the last call; nulls for those that have gone."""
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        headers: list[Headers] = []
        for data in sorted(self._dirty):
            found = self._held.get(data)
            if found is not None:
                time, update, _ = found
                self._logged.add(data)
                values.append(written_change(update, self._values(update), time))
                headers.append(_HEADERS)
            elif data in self._logged:
                self._logged.discard(data)
                values.append(None)
                headers.append(())
            else:
                continue
            keys.append(data)
        self._dirty.clear()
        return Changes([NO_TIMESTAMP] * len(keys), keys, values, headers)

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        for data, value in zip(batch.keys, batch.values, strict=True):
            if data is None:
                continue
            known = self._held.pop(data, None)
            self._logged.discard(data)
            if known is not None:
                self.bytes -= known[2]
            if value is not None:
                self._logged.add(data)
                self._hold(data, *self._read(data, value))
        self._in_order = False

    def _ordered(self) -> list[tuple[int, bytes]]:
        """The heap; made anew if something was restored since."""
        if not self._in_order:
            self._heap = [(time, data) for data, (time, _, _) in self._held.items()]
            heapify(self._heap)
            self._in_order = True
        return self._heap

    def _read(self, data: bytes, value: bytes) -> tuple[int, Held]:
        timestamp, offset, source, headers, values, time = read_change(value)
        prior, old, new = (
            None if each is None else self.value.decode(each) for each in (values.prior, values.old, values.new)
        )
        return time, Held(self.key.decode(data), new, old, prior, timestamp, headers, source, offset)
