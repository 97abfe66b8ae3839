"""How long results take: a histogram of bounded size, and when a report was sent."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from math import ceil, exp, log
from typing import Final, Protocol

GROWTH: Final = 1.02
LONGEST_MS: Final = 3_600_000.0
_STEP: Final = log(GROWTH)


class Histogram:
    """Times in ms, in buckets that grow by 2%: at most some 760 of them. A quantile is a bucket's upper end.

    >>> times = Histogram()
    >>> for ms in range(1, 1001): times.add(ms)
    >>> abs(times.quantile(0.5) / 500 - 1) < 0.02, times.quantile(1.0) >= 1000
    (True, True)
    """

    def __init__(self) -> None:
        self.count = 0
        self._buckets: Counter[int] = Counter()

    def add(self, ms: float) -> None:
        """Less than 1 ms counts as 1 ms."""
        self.count += 1
        self._buckets[ceil(log(min(max(ms, 1.0), LONGEST_MS)) / _STEP)] += 1

    def quantile(self, share: float) -> float | None:
        """The time that this share of all is not above; None without any."""
        rank = ceil(share * self.count)
        for bucket, count in sorted(self._buckets.items()):
            rank -= count
            if rank <= 0:
                return exp(bucket * _STEP)
        return None


class SentAt(Protocol):
    """When the report of an event time was sent, in ms of the wall clock; None if that isn't known."""

    def __call__(self, event_ms: int, /) -> float | None: ...


class Planned:
    """At a given speed: when it was due to be sent; a feed that is behind counts as latency.

    >>> Planned(start_ms=10_000, begin_ms=70_000, speed=2.0)(14_000)
    72000.0
    """

    def __init__(self, start_ms: int, begin_ms: float, speed: float) -> None:
        self._start_ms = start_ms
        self._begin_ms = begin_ms
        self._speed = speed

    def __call__(self, event_ms: int, /) -> float | None:
        return self._begin_ms + (event_ms - self._start_ms) / self._speed


class Marked:
    """As fast as it goes: by marks of the feed, event time against wall clock; the last mark before counts.

    >>> marked = Marked()
    >>> marked.mark(100, 7_000.0); marked.mark(900, 7_050.0)
    >>> marked(99), marked(899), marked(900)
    (None, 7000.0, 7050.0)
    """

    def __init__(self) -> None:
        self._event_ms: list[int] = []
        self._wall_ms: list[float] = []

    def mark(self, event_ms: int, wall_ms: float) -> None:
        self._event_ms.append(event_ms)
        self._wall_ms.append(wall_ms)

    def __call__(self, event_ms: int, /) -> float | None:
        found = bisect_right(self._event_ms, event_ms)
        return self._wall_ms[found - 1] if found else None
