"""Things in order, with cheap changes anywhere: a list cut into blocks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

FULL = 1024

T = TypeVar("T", int, bytes)


class Ordered(Generic[T]):
    """Distinct things, ascending. A change costs a block's length, not that of the whole.

    >>> times = Ordered[int]()
    >>> for time in (5, 1, 9):
    ...     times.add(time)
    >>> times.first(), times.last(), times.after(5), times.after(9), times.before(5)
    (1, 9, 9, None, 1)
    >>> times.remove(1)
    >>> times.first()
    5
    """

    def __init__(self) -> None:
        self._blocks: list[list[T]] = []  # none is empty
        self._lasts: list[T] = []  # the last of each block

    def add(self, time: T) -> None:
        """One that is not there yet."""
        if not self._blocks:
            self._blocks.append([time])
            self._lasts.append(time)
            return
        at = min(bisect_left(self._lasts, time), len(self._blocks) - 1)
        block = self._blocks[at]
        if time > block[-1]:
            block.append(time)
        else:
            insort(block, time)
        if len(block) > FULL:
            self._blocks.insert(at + 1, block[FULL // 2 :])
            del block[FULL // 2 :]
            self._lasts.insert(at, block[-1])
        self._lasts[at] = block[-1]
        if at + 1 < len(self._blocks):
            self._lasts[at + 1] = self._blocks[at + 1][-1]

    def remove(self, time: T) -> None:
        """One that is there."""
        at = bisect_left(self._lasts, time)
        block = self._blocks[at]
        del block[bisect_left(block, time)]
        if block:
            self._lasts[at] = block[-1]
        else:
            del self._blocks[at], self._lasts[at]

    def __iter__(self) -> Iterator[T]:
        for block in self._blocks:
            yield from block

    def first(self) -> T | None:
        return self._blocks[0][0] if self._blocks else None

    def last(self) -> T | None:
        return self._lasts[-1] if self._lasts else None

    def after(self, time: T) -> T | None:
        """The smallest that is larger than this."""
        at = bisect_right(self._lasts, time)
        if at == len(self._blocks):
            return None
        block = self._blocks[at]
        return block[bisect_right(block, time)]

    def before(self, time: T) -> T | None:
        """The largest that is smaller than this."""
        at = bisect_left(self._lasts, time)
        if at < len(self._blocks):
            place = bisect_left(self._blocks[at], time)
            if place:
                return self._blocks[at][place - 1]
        return self._lasts[at - 1] if at else None


class OrderedTimes(Ordered[int]):
    """Times in ms."""
