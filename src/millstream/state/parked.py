"""Rows of a left or outer stream-stream join that wait for a partner, and when they have waited enough (J5, J8, J9)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, NamedTuple

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.changes import Changes
from millstream.state.ordered import OrderedTimes

RIGHT, LEFT = 0, 1  # rule F5's numbers, and the order of rows of one time
_PREFIX = Struct(">qB")


class ParkedRow(NamedTuple):
    """A row that goes on alone."""

    timestamp: int
    side: int
    key: Any
    value: Any


@dataclass(slots=True)
class ParkedSide:
    """One side's rows: by time and key the values, in the order of arrival."""

    by_time: dict[int, dict[Any, list[Any]]] = field(default_factory=dict)
    times: OrderedTimes = field(default_factory=OrderedTimes)

    def values(self, key: Any, timestamp: int) -> list[Any] | None:
        keys = self.by_time.get(timestamp)
        return None if keys is None else keys.get(key)

    def add(self, key: Any, timestamp: int, values: list[Any]) -> None:
        keys = self.by_time.get(timestamp)
        if keys is None:
            keys = self.by_time[timestamp] = {}
            self.times.add(timestamp)
        keys.setdefault(key, []).extend(values)

    def remove(self, key: Any, timestamp: int) -> bool:
        """Whether there was anything."""
        keys = self.by_time.get(timestamp)
        if keys is None or keys.pop(key, None) is None:
            return False
        if not keys:
            del self.by_time[timestamp]
            self.times.remove(timestamp)
        return True

    def count(self, timestamp: int) -> int:
        return sum(len(values) for values in self.by_time.get(timestamp, {}).values())


class ParkedRows:
    """What both sides of a join share in a task: the parked rows, the join's stream time, and the time `min_time`, -
    None when unset - that tells when to look for rows that are due.

    Looking costs the rows that are due: Kafka Streams walks over all of them, and what that walk leaves behind in
    `min_time` is worked out here from the ends of the walk (rules J8, J9).
    """

    def __init__(self, name: str, key: Serde[Any], values: Serde[Any]) -> None:
        self.name = name
        self.key = key
        self.value = values
        self.stream_time = -1
        self.min_time: int | None = None
        self.next_look_ms = 0  # by wall clock, where the looking is throttled (rule E9)
        self._sides = (ParkedSide(), ParkedSide())
        self._dirty: dict[tuple[int, int, Any], int] = {}

    def __len__(self) -> int:
        return sum(side.count(timestamp) for side in self._sides for timestamp in side.by_time)

    def newest(self) -> int:
        """The largest time of any row, -1 if there is none."""
        return max((last for side in self._sides if (last := side.times.last()) is not None), default=-1)

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
        firsts = [(side, first) for side in (RIGHT, LEFT) if (first := self._sides[side].times.first()) is not None]
        return min((first + waits[side] + 1 for side, first in firsts), default=None)

    def due(self, waits: tuple[int, int], now: int) -> Generator[ParkedRow, None, None]:
        """Rows that have waited longer than their side's `waits` by stream time, in order; they are gone then.

        `waits` are for (right, left). `min_time` is as after Kafka Streams' walk, before the first row is given.
        """
        limits = [self.stream_time - wait for wait in waits]  # due are rows before these
        due: list[tuple[int, int, list[Any]]] = []
        for side in (RIGHT, LEFT):
            times, by_time = self._sides[side].times, self._sides[side].by_time
            first = times.first()
            while first is not None and first < limits[side]:
                due.append((first, side, sorted(by_time[first], key=self.key.encode)))
                first = times.after(first)
        due.sort(key=lambda item: item[:2])
        self.min_time = self._end_of_walk([self._first_open(side, limits[side]) for side in (RIGHT, LEFT)])
        for timestamp, side, keys in due:
            for key in keys:
                values = self._sides[side].values(key, timestamp)
                self.unpark(side, key, timestamp, now)
                for value in values or ():
                    yield ParkedRow(timestamp, side, key, value)

    def _first_open(self, side: int, limit: int) -> int | None:
        return self._sides[side].times.after(limit - 1)

    def _end_of_walk(self, first_open: list[int | None]) -> int | None:
        """The time of the last row visited: the one after the first open rows of both sides; without these, the last.

        None if there is no row at all.
        """
        lasts = [last for side in self._sides if (last := side.times.last()) is not None]
        right, left = first_open
        if right is None or left is None:
            return max(lasts, default=None)
        time = max(right, left)
        here = self._sides[LEFT].count(time) + (self._sides[RIGHT].count(time) if left < time else 0)
        if here > 1:
            return time
        after = [after for side in self._sides if (after := side.times.after(time)) is not None]
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
        self._dirty.clear()
        return Changes(timestamps, keys, values)

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        for data, value in zip(batch.keys, batch.values, strict=True):
            if data is None:
                continue
            timestamp, side = _PREFIX.unpack(data[: _PREFIX.size])
            key = self.key.decode(data[_PREFIX.size :])
            self._sides[side].remove(key, timestamp)
            if value is not None:
                self._sides[side].add(key, timestamp, self.value.decode(value)[1])
        self.min_time = min((first for side in self._sides if (first := side.times.first()) is not None), default=None)
