"""The parked rows of one side of a join: in memory, or over a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Protocol

from millstream.serde import Serde
from millstream.state.disk import Disk, merged
from millstream.state.ordered import Ordered, OrderedTimes

_TIME = Struct(">q")
VALUES_BYTES = 600  # what a place and its values take in memory, about

Due = tuple[int, Any, list[Any]]  # timestamp, key, values


class ParkedSide(Protocol):
    """By time and key the values, in the order of arrival."""

    def values(self, key: Any, timestamp: int) -> list[Any] | None: ...

    def add(self, key: Any, timestamp: int, values: list[Any]) -> None: ...

    def remove(self, key: Any, timestamp: int) -> bool:
        """Whether there was anything."""

    def count(self, timestamp: int) -> int:
        """The number of values of one time."""

    def first(self) -> int | None: ...

    def last(self) -> int | None: ...

    def after(self, timestamp: int) -> int | None:
        """The next time of any row."""

    def due(self, limit: int) -> Iterator[Due]:
        """Everything before a time, in the order of times and keys' bytes. What it has given may be removed."""

    def __len__(self) -> int: ...


@dataclass(slots=True)
class SideInMemory:
    """Times in order, and what each of them has."""

    encode: Callable[[Any], bytes]
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

    def first(self) -> int | None:
        return self.times.first()

    def last(self) -> int | None:
        return self.times.last()

    def after(self, timestamp: int) -> int | None:
        return self.times.after(timestamp)

    def due(self, limit: int) -> Iterator[Due]:
        due: list[Due] = []
        time = self.times.first()
        while time is not None and time < limit:
            found = self.by_time[time]
            due += [(time, key, found[key]) for key in sorted(found, key=self.encode)]
            time = self.times.after(time)
        return iter(due)

    def __len__(self) -> int:
        return sum(map(self.count, self.by_time))


class SideOnDisk:
    """The rows that the disk does not have yet, over those that it has. On disk the side stands before the time, so
    that each question is a look at one place.
    """

    def __init__(self, side: int, serdes: tuple[Serde[Any], Serde[Any]], disk: Disk) -> None:
        self._prefix = bytes((side,))
        self._end = bytes((side + 1,))
        self._key, self._value = serdes
        self._disk = disk
        self._live: dict[bytes, list[Any] | None] = {}  # None is a delete
        self._order = Ordered[bytes]()  # of the live ones
        self._floor = self._prefix  # no row lies before it: deletes wait for the disk, and would be passed by each time

    def values(self, key: Any, timestamp: int) -> list[Any] | None:
        return self._values(self._place(key, timestamp))

    def add(self, key: Any, timestamp: int, values: list[Any]) -> None:
        place = self._place(key, timestamp)
        self._set(place, [*(self._values(place) or ()), *values])

    def remove(self, key: Any, timestamp: int) -> bool:
        place = self._place(key, timestamp)
        if self._values(place) is None:
            return False
        self._set(place, None)
        return True

    def count(self, timestamp: int) -> int:
        found = self._scan(self._from(timestamp), self._from(timestamp + 1))
        return sum(len(self._read(values)) for _, values in found)

    def first(self) -> int | None:
        return self.after(-1)

    def last(self) -> int | None:
        return next((_time_of(place) for place, _ in self._scan(self._prefix, self._end, reverse=True)), None)

    def after(self, timestamp: int) -> int | None:
        return next((_time_of(place) for place, _ in self._scan(self._from(timestamp + 1), self._end)), None)

    def due(self, limit: int) -> Iterator[Due]:
        end = self._from(max(limit, 0))
        rows = self._scan(self._prefix, end)
        row = next(rows, None)
        self._floor = max(self._floor, end if row is None else _bound(row[0]))
        while row is not None:
            place, values = row
            yield _time_of(place), self._key.decode(place[9:]), self._read(values)
            row = next(rows, None)

    def __len__(self) -> int:
        return sum(len(self._read(values)) for _, values in self._scan(self._prefix, self._end))

    # ---

    def settled(self, key: Any, timestamp: int) -> None:
        """The disk has it."""
        place = self._place(key, timestamp)
        if self._live.pop(place, self) is not self:
            self._order.remove(place)

    @property
    def live_bytes(self) -> int:
        return len(self._live) * VALUES_BYTES

    def _set(self, place: bytes, values: list[Any] | None) -> None:
        if place not in self._live:
            self._order.add(place)
        if values is not None:
            self._floor = min(self._floor, _bound(place))
        self._live[place] = values

    def _values(self, place: bytes) -> list[Any] | None:
        if place in self._live:
            return self._live[place]
        data = self._disk.get(place)
        return None if data is None else self._read(data)

    def _read(self, values: list[Any] | bytes) -> list[Any]:
        """Values of the disk are bytes still."""
        decoded: list[Any] = self._value.decode(values)[1] if isinstance(values, bytes) else values
        return decoded

    def _scan(self, first: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, list[Any] | bytes]]:
        first = max(first, self._floor)
        if first >= end:
            return
        stored: Iterator[tuple[bytes, list[Any] | bytes | None]] = self._disk.scan(first, end, reverse=reverse)
        for place, values in merged(stored, self._fresh(first, end, reverse), reverse=reverse):
            if values is not None:
                yield place, values

    def _fresh(self, first: bytes, end: bytes, reverse: bool) -> Iterator[tuple[bytes, list[Any] | bytes | None]]:
        """Of the live rows. No place is a bound itself, because bounds are without a key."""
        place = self._order.before(end) if reverse else self._order.after(first)
        while place is not None and first < place < end:
            yield place, self._live[place]
            place = self._order.before(place) if reverse else self._order.after(place)

    def _place(self, key: Any, timestamp: int) -> bytes:
        data: bytes = self._key.encode(key)
        return self._from(timestamp) + data

    def _from(self, timestamp: int) -> bytes:
        return self._prefix + _TIME.pack(timestamp)


def _bound(place: bytes) -> bytes:
    """What is before all places of the same time."""
    return place[:9]


def _time_of(place: bytes) -> int:
    time: int = _TIME.unpack_from(place, 1)[0]
    return time
