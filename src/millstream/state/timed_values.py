"""Values in order of time and arrival, with cheap changes anywhere however many there are."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, TypeAlias

FULL = 1024


class FewValues:
    """Two lists. Putting a late value in between costs their length, which is `FULL` at most before they are cut."""

    __slots__ = ("timestamps", "values")

    def __init__(self) -> None:
        self.timestamps: list[int] = []
        self.values: list[Any] = []

    def __len__(self) -> int:
        return len(self.timestamps)

    def add(self, timestamp: int, value: Any) -> None:
        """Behind those of the same time."""
        timestamps = self.timestamps
        if not timestamps or timestamp >= timestamps[-1]:
            timestamps.append(timestamp)
            self.values.append(value)
        else:
            at = bisect_right(timestamps, timestamp)
            timestamps.insert(at, timestamp)
            self.values.insert(at, value)

    def between(self, first: int, last: int) -> list[tuple[int, Any]]:
        """(timestamp, value) from `first` to `last`, both included."""
        timestamps = self.timestamps
        low = bisect_left(timestamps, first)
        high = bisect_right(timestamps, last, low)
        return list(zip(timestamps[low:high], self.values[low:high], strict=True))

    def forget(self, until: int) -> int:
        """Without those up to a time; how many these were."""
        gone = bisect_right(self.timestamps, until)
        del self.timestamps[:gone], self.values[:gone]
        return gone

    def split(self) -> FewValues:
        """Gives its later half away."""
        half, later = len(self.timestamps) // 2, FewValues()
        later.timestamps, later.values = self.timestamps[half:], self.values[half:]
        del self.timestamps[half:], self.values[half:]
        return later


class ManyValues:
    """Blocks of `FewValues`; a change costs a block's length, not that of the whole.

    >>> values = ManyValues(FewValues())
    >>> for time in range(3000):
    ...     values.add(time % 2500, time)
    >>> len(values), values.between(499, 500), len(values._blocks) > 2
    (3000, [(499, 499), (499, 2999), (500, 500)], True)
    """

    __slots__ = ("_blocks", "_lasts")

    def __init__(self, few: FewValues) -> None:
        self._blocks = [few]
        self._lasts = [few.timestamps[-1] if few.timestamps else -1]  # of each block, at least its last time

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def add(self, timestamp: int, value: Any) -> None:
        at = min(bisect_right(self._lasts, timestamp), len(self._blocks) - 1)
        block = self._blocks[at]
        block.add(timestamp, value)
        if len(block) > FULL:
            self._blocks.insert(at + 1, block.split())
            self._lasts.insert(at, block.timestamps[-1])
            at += 1
        self._lasts[at] = max(self._lasts[at], timestamp)

    def between(self, first: int, last: int) -> list[tuple[int, Any]]:
        at = bisect_left(self._lasts, first)
        found: list[tuple[int, Any]] = []
        while at < len(self._blocks):
            block = self._blocks[at]
            if block.timestamps and block.timestamps[0] > last:
                break
            found += block.between(first, last)
            at += 1
        return found

    def forget(self, until: int) -> int:
        whole = bisect_right(self._lasts, until)
        gone = sum(map(len, self._blocks[:whole]))
        del self._blocks[:whole], self._lasts[:whole]
        return gone + (self._blocks[0].forget(until) if self._blocks else 0)


TimedValues: TypeAlias = FewValues | ManyValues
