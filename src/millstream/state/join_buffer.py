"""Stream records that wait for their time in a join with a versioned table (rules J17, F8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from struct import Struct
from typing import Any

from millstream.model import NO_TIMESTAMP, Batch, Headers, TopicPartition
from millstream.serde import Serde
from millstream.state.changes import Changes
from millstream.state.record_context import read_record, written_record

# rule F8, with what Kafka Streams 4.3.1 writes before it: a byte that says that time comes first
_PLACE = Struct(">xq")
_SEQ = Struct(">i")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stream record that waits: itself, and where it came from."""

    key: Any
    value: Any
    timestamp: int
    headers: Headers
    source: TopicPartition
    offset: int


class JoinBufferRows:
    """Waiting records, ordered by timestamp, key bytes and arrival."""

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]]) -> None:
        self.name = name
        self.key, self.value = serdes
        self._heap: list[tuple[int, bytes, int]] = []
        self._records: dict[tuple[int, bytes, int], Waiting] = {}
        self._dirty: dict[tuple[int, bytes, int], None] = {}
        self._logged: set[tuple[int, bytes, int]] = set()
        self._arrivals = 0
        self._in_order = True  # else the heap is made anew by who needs it: copies are restored and restored

    def __len__(self) -> int:
        return len(self._records)

    @property
    def first_time(self) -> int | None:
        """The timestamp of the first in order."""
        heap = self._ordered()
        return heap[0][0] if heap else None

    def add(self, record: Waiting) -> None:
        self._arrivals += 1
        place = (record.timestamp, self.key.encode(record.key), self._arrivals)
        heappush(self._ordered(), place)
        self._records[place] = record
        self._dirty[place] = None

    def due(self, until: int) -> Iterator[Waiting]:
        """Take out the records with a timestamp up to `until`, in order."""
        heap = self._ordered()
        while heap and heap[0][0] <= until:
            place = heappop(heap)
            self._dirty[place] = None
            yield self._records.pop(place)

    def newest(self) -> int:
        """The largest timestamp that waits, -1 if nothing does."""
        return max((place[0] for place in self._records), default=-1)

    # --- changelog (rule F8)

    def take_changes(self) -> Changes:
        """Records that came since the last call and are still here; nulls for those logged before that have gone."""
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        for place in self._dirty:
            record = self._records.get(place)
            if record is None and place not in self._logged:
                continue
            timestamp, key, arrival = place
            keys.append(_PLACE.pack(timestamp) + key + _SEQ.pack(arrival))
            if record is None:
                self._logged.discard(place)
                values.append(None)
            else:
                self._logged.add(place)
                values.append(written_record(record, self.value.encode(record.value)))
        self._dirty.clear()
        return Changes([NO_TIMESTAMP] * len(keys), keys, values)

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        for data, value in zip(batch.keys, batch.values, strict=True):
            if data is None:
                continue
            key = data[_PLACE.size : -_SEQ.size]
            place = (_PLACE.unpack_from(data)[0], key, _SEQ.unpack(data[-_SEQ.size :])[0])
            if value is None:
                self._records.pop(place, None)
                self._logged.discard(place)
            else:
                self._records[place] = self._read(key, value)
                self._logged.add(place)
            self._arrivals = max(self._arrivals, place[2])
        self._in_order = False

    def _ordered(self) -> list[tuple[int, bytes, int]]:
        """The heap; made anew if something was restored since."""
        if not self._in_order:
            self._heap = list(self._records)
            heapify(self._heap)
            self._in_order = True
        return self._heap

    def _read(self, key: bytes, value: bytes) -> Waiting:
        timestamp, offset, source, headers, data = read_record(value)
        return Waiting(self.key.decode(key), self.value.decode(data), timestamp, headers, source, offset)
