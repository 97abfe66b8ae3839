"""Values in order of time and arrival, with cheap changes anywhere however many there are.

Few of them are a plain list of (timestamp, value); when it is `FULL` it becomes blocks of such lists.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import Any, TypeAlias

FULL = 128
TimedValue: TypeAlias = tuple[int, Any]
_time = itemgetter(0)


class ManyValues:
    """A change costs a block's length, not that of the whole.

    >>> values = ManyValues([])
    >>> for time in range(3000):
    ...     values.add((time % 2500, time))
    >>> len(values), values.between(499, 500), len(values._blocks) > 2
    (3000, [(499, 499), (499, 2999), (500, 500)], True)
    """

    __slots__ = ("_blocks", "_lasts")

    def __init__(self, few: list[TimedValue]) -> None:
        self._blocks = [few]
        self._lasts = [few[-1][0] if few else -1]  # of each block, at least its last time

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def add(self, row: TimedValue) -> None:
        lasts, timestamp = self._lasts, row[0]
        if timestamp >= lasts[-1]:
            at = len(lasts) - 1
            lasts[at] = timestamp
        else:
            at = bisect_right(lasts, timestamp)
        block = self._blocks[at]
        _add(block, row)
        if len(block) > FULL:
            half = len(block) // 2
            self._blocks.insert(at + 1, block[half:])
            del block[half:]
            lasts.insert(at, block[-1][0])

    def between(self, first: int, last: int) -> list[TimedValue]:
        at = bisect_left(self._lasts, first)
        found: list[TimedValue] = []
        while at < len(self._blocks):
            block = self._blocks[at]
            if block and block[0][0] > last:
                break
            found += _between(block, first, last)
            at += 1
        return found

    def forget(self, until: int) -> int:
        whole = bisect_right(self._lasts, until)
        gone = sum(map(len, self._blocks[:whole]))
        del self._blocks[:whole], self._lasts[:whole]
        return gone + (_forget(self._blocks[0], until) if self._blocks else 0)


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
