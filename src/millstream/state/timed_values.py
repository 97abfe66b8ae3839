"""Values in order of time and arrival, with cheap changes anywhere however many there are.

Few of them are a plain list of (timestamp, value); when it is `FULL` it becomes blocks of such lists.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import Any, TypeAlias

FULL = 128
TimedValue: TypeAlias = tuple[int, Any]
_time = itemgetter(0)


class ManyValues:
    """A change costs a block's length, not that of the whole. Times lie together, so that to look among them for one
    fetches little memory.

    >>> values = ManyValues([])
    >>> for time in range(3000):
    ...     values.add((time % 2500, time))
    >>> len(values), values.between(499, 500), len(values._blocks) > 2
    (3000, [(499, 499), (499, 2999), (500, 500)], True)
    """

    __slots__ = ("_blocks", "_lasts", "_times")

    def __init__(self, few: list[TimedValue]) -> None:
        self._blocks = [few]
        self._times = [array("q", [row[0] for row in few])]  # of each block
        self._lasts = array("q", [few[-1][0] if few else -1])  # of each block, at least its last time

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def add(self, row: TimedValue) -> None:
        lasts, timestamp = self._lasts, row[0]
        if timestamp >= lasts[-1]:
            at = len(lasts) - 1
            lasts[at] = timestamp
        else:
            at = bisect_right(lasts, timestamp)
        block, times = self._blocks[at], self._times[at]
        if not times or timestamp >= times[-1]:
            times.append(timestamp)
            block.append(row)
        else:
            place = bisect_right(times, timestamp)
            times.insert(place, timestamp)
            block.insert(place, row)
        if len(block) > FULL:
            self._split(at)

    def _split(self, at: int) -> None:
        block, times = self._blocks[at], self._times[at]
        half = len(block) // 2
        self._blocks.insert(at + 1, block[half:])
        self._times.insert(at + 1, times[half:])
        del block[half:], times[half:]
        self._lasts.insert(at, times[-1])

    def between(self, first: int, last: int) -> list[TimedValue]:
        found: list[TimedValue] = []
        for at in range(bisect_left(self._lasts, first), len(self._lasts)):
            times = self._times[at]
            low = bisect_left(times, first)
            high = bisect_right(times, last, low)
            found += self._blocks[at][low:high]
            if high < len(times):
                break
        return found

    def forget(self, until: int) -> int:
        whole = bisect_right(self._lasts, until)
        gone = sum(map(len, self._blocks[:whole]))
        del self._blocks[:whole], self._times[:whole], self._lasts[:whole]
        if not self._blocks:
            return gone
        part = bisect_right(self._times[0], until)
        del self._blocks[0][:part], self._times[0][:part]
        return gone + part


TimedValues: TypeAlias = list[TimedValue] | ManyValues


def added(values: TimedValues, row: TimedValue) -> TimedValues:
    """With one more, behind those of the same time."""
    if isinstance(values, list):
        if len(values) < FULL:
            _add(values, row)
            return values
        values = ManyValues(values)
    values.add(row)
    return values


def between(values: TimedValues, first: int, last: int) -> list[TimedValue]:
    """Those from `first` to `last`, both included."""
    return _between(values, first, last) if isinstance(values, list) else values.between(first, last)


def forget(values: TimedValues, until: int) -> int:
    """Without those up to a time; how many these were."""
    return _forget(values, until) if isinstance(values, list) else values.forget(until)


def _add(values: list[TimedValue], row: TimedValue) -> None:
    if not values or row[0] >= values[-1][0]:
        values.append(row)
    else:
        values.insert(bisect_right(values, row[0], key=_time), row)


def _between(values: list[TimedValue], first: int, last: int) -> list[TimedValue]:
    low = bisect_left(values, first, key=_time)
    return values[low : bisect_right(values, last, low, key=_time)]


def _forget(values: list[TimedValue], until: int) -> int:
    gone = bisect_right(values, until, key=_time)
    del values[:gone]
    return gone
