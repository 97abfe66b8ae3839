"""Rows of a left or outer stream-stream join that wait for a partner, and when they have waited enough (J5, J8, J9)."""

from __future__ import annotations

from collections.abc import Generator
from heapq import merge
from itertools import repeat
from struct import Struct
from typing import Any, NamedTuple

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.changes import Changes
from millstream.state.disk import Disk, DiskBatch, Records
from millstream.state.parked_sides import ParkedSide, SideInMemory, SideOnDisk

RIGHT, LEFT = 0, 1  # rule F5's numbers, and the order of rows of one time
_PREFIX = Struct(">qB")


class ParkedRow(NamedTuple):
    """A row that goes on alone."""

    timestamp: int
    side: int
    key: Any
    value: Any


class ParkedRows:
    """What both sides of a join share in a task: the parked rows, the join's stream time, and the time `min_time`, -
    None when unset - that tells when to look for rows that are due.

    Looking costs the rows that are due: Kafka Streams walks over all of them, and what that walk leaves behind in
    `min_time` is worked out here from the ends of the walk (rules J8, J9).
    """

    def __init__(self, name: str, key: Serde[Any], values: Serde[Any], disk: Disk | None = None) -> None:
        self.name = name
        self.key = key
        self.value = values
        self.stream_time = -1
        self.min_time: int | None = None
        self.next_look_ms = 0  # by wall clock, where the looking is throttled (rule E9)
        self._sides: tuple[ParkedSide, ParkedSide]
        self._stored: tuple[SideOnDisk, ...] = ()  # the same, with a disk
        self._dirty: dict[tuple[int, int, Any], int] = {}
        self._unwritten: set[tuple[int, int, Any]] = set()  # taken for the changelog, and not on disk yet
        if disk is None:
            self._sides = (SideInMemory(key.encode), SideInMemory(key.encode))
        else:
            right, left = (SideOnDisk(side, (key, values), disk) for side in (RIGHT, LEFT))
            self._sides = self._stored = (right, left)

    def __len__(self) -> int:
        return sum(map(len, self._sides))

    def newest(self) -> int:
        """The largest time of any row, -1 if there is none."""
        return max((last for side in self._sides if (last := side.last()) is not None), default=-1)

    def park(self, row: ParkedRow) -> None:
        """Rule J5."""
        self._sides[row.side].add(row.key, row.timestamp, [row.value])
        self._dirty[row.timestamp, row.side, row.key] = row.timestamp
        if self.min_time is None or row.timestamp < self.min_time:
            self.min_time = row.timestamp

    def unpark(self, side: int, key: Any, timestamp: int, now: int) -> None:
        """A row found a partner: all values of its key and time have (rule J4). `now` is the current record's time."""
        if self._sides[side].remove(key, timestamp):
            self._dirty[timestamp, side, key] = now

    def next_due(self, waits: tuple[int, int]) -> int | None:
        """The stream time at which the first rows are due by their side's `waits`; None if there are none."""
        firsts = [(side, first) for side in (RIGHT, LEFT) if (first := self._sides[side].first()) is not None]
        return min((first + waits[side] + 1 for side, first in firsts), default=None)

    def due(self, waits: tuple[int, int], now: int) -> Generator[ParkedRow, None, None]:
        """Rows that have waited longer than their side's `waits` by stream time, in order; they are gone then.

        `waits` are for (right, left). `min_time` is as after Kafka Streams' walk, before the first row is given.
        """
        limits = [self.stream_time - wait for wait in waits]  # due are rows before these
        self.min_time = self._end_of_walk([self._sides[side].after(limits[side] - 1) for side in (RIGHT, LEFT)])
        of_sides = [zip(repeat(side), self._sides[side].due(limits[side])) for side in (RIGHT, LEFT)]
        for side, (timestamp, key, values) in merge(*of_sides, key=lambda item: (item[1][0], item[0])):
            self.unpark(side, key, timestamp, now)
            for value in values:
                yield ParkedRow(timestamp, side, key, value)

    def _end_of_walk(self, first_open: list[int | None]) -> int | None:
        """The time of the last row visited: the one after the first open rows of both sides; without these, the last.

        None if there is no row at all.
        """
        lasts = [last for side in self._sides if (last := side.last()) is not None]
        right, left = first_open
        if right is None or left is None:
            return max(lasts, default=None)
        time = max(right, left)
        here = self._sides[LEFT].count(time) + (self._sides[RIGHT].count(time) if left < time else 0)
        if here > 1:
            return time
        after = [after for side in self._sides if (after := side.after(time)) is not None]
        return min(after, default=time)

    # --- changelog (rule F5)

    def take_changes(self) -> Changes:
        """The values of each key, time and side changed since the last call; without any, a delete."""
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        for timestamp, side, key in self._dirty:
            parked = self._sides[side].values(key, timestamp)
            keys.append(_PREFIX.pack(timestamp, side) + self.key.encode(key))
            values.append(None if parked is None else self.value.encode((side, parked)))
        timestamps = list(self._dirty.values())
        if self._stored:
            self._unwritten.update(self._dirty)
        self._dirty.clear()
        return Changes(timestamps, keys, values)

    def restore(self, batch: Batch) -> None:
        """Apply changelog records to a store without a disk."""
        for data, value in zip(batch.keys, batch.values, strict=True):
            if data is None:
                continue
            timestamp, side = _PREFIX.unpack(data[: _PREFIX.size])
            key = self.key.decode(data[_PREFIX.size :])
            self._sides[side].remove(key, timestamp)
            if value is not None:
                self._sides[side].add(key, timestamp, self.value.decode(value)[1])
        self._restored()

    def _restored(self) -> None:
        self.min_time = min((first for side in self._sides if (first := side.first()) is not None), default=None)

    # --- with a disk

    @staticmethod
    def write(records: Records, into: DiskBatch) -> None:
        """On disk the side stands before the time; the values are as in the changelog."""
        for data, value in zip(records.keys, records.values, strict=True):
            if data is None:
                continue
            place = data[8:9] + data[:8] + data[9:]
            if value is None:
                into.delete(place)
            else:
                into.put(place, value)

    def written(self) -> None:
        """What `take_changes` gave is on disk, and need not be live."""
        for place in self._unwritten:
            if place not in self._dirty:
                timestamp, side, key = place
                self._stored[side].settled(key, timestamp)
        self._unwritten.clear()

    def opened(self) -> None:
        """When the first rows are due has to be known."""
        self._restored()

    @property
    def cached_bytes(self) -> int:
        return self.dirty_bytes

    @property
    def dirty_bytes(self) -> int:
        return sum(side.live_bytes for side in self._stored)

    def evict(self) -> None:
        """All that is live is not on disk yet."""
