"""One key's versions, and their form on disk: one row for each version."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from struct import Struct
from typing import Any

from millstream.state.disk import Disk

_TIME = Struct(">q")
_THERE, _DELETED = b"\x01", b"\x00"  # before a value; alone for a delete


@dataclass(slots=True)
class Versions:
    """A key's versions, the oldest first; a deleted one has the value None."""

    timestamps: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def put(self, value: Any, timestamp: int) -> bool:
        """Whether it is the latest."""
        place = bisect_left(self.timestamps, timestamp)
        if place < len(self.timestamps) and self.timestamps[place] == timestamp:
            self.values[place] = value
        else:
            self.timestamps.insert(place, timestamp)
            self.values.insert(place, value)
        return place == len(self.timestamps) - 1

    def forget(self, horizon: int) -> list[int]:
        """Forget versions whose successor is as old as the horizon; gives their timestamps."""
        gone = bisect_right(self.timestamps, horizon) - 1
        if gone <= 0:
            return []
        forgotten = self.timestamps[:gone]
        del self.timestamps[:gone], self.values[:gone]
        return forgotten


# A version's place is its key and its timestamp. What is between them makes places of one key lie together, and keys
# in the order of their bytes, though these may have any length: a zero byte in a key is followed by 255, which no
# timestamp begins with.


def place_of(key: bytes, timestamp: int) -> bytes:
    """Where a version is on disk.

    >>> place_of(b"a", 1) < place_of(b"a", 2) < place_of(bytes([97, 0]), 0) < place_of(b"ab", 0)
    True
    """
    return _escaped(key) + b"\0" + _TIME.pack(timestamp)


def stored_version(value: bytes | None) -> bytes:
    return _DELETED if value is None else _THERE + value


def read_version(place: bytes, data: bytes) -> tuple[int, bytes | None]:
    """Timestamp and value."""
    return _TIME.unpack_from(place, len(place) - _TIME.size)[0], None if data == _DELETED else data[1:]


def versions_on(disk: Disk, key: bytes) -> Iterator[tuple[int, bytes | None]]:
    """A key's versions, the oldest first."""
    begin = _escaped(key) + b"\0"
    return (read_version(*item) for item in disk.scan(begin, begin + b"\x80"))


def latest_on(
    disk: Disk, first: bytes, end: bytes | None, *, reverse: bool
) -> Iterator[tuple[bytes, tuple[int, bytes | None]]]:
    """Keys with their latest versions, in the order of their bytes."""
    items = disk.scan(_escaped(first), None if end is None else _escaped(end), reverse=reverse)
    for data, versions in groupby(items, key=lambda item: item[0][: -_TIME.size - 1]):
        in_order = list(versions)
        yield data.replace(b"\0\xff", b"\0"), read_version(*in_order[0 if reverse else -1])


def _escaped(key: bytes) -> bytes:
    return key.replace(b"\0", b"\0\xff")
