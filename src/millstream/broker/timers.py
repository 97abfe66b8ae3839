"""Deadlines: what is to happen when a time has come. Pure: the time is passed in."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

Action = Callable[[float], None]
"""Called with the time at which it happens."""


class Timer:
    """One deadline; `cancel` makes it never happen."""

    __slots__ = ("action", "at_ms")

    def __init__(self, at_ms: float, action: Action) -> None:
        self.at_ms = at_ms
        self.action: Action | None = action

    def cancel(self) -> None:
        self.action = None


class Timers:
    """Deadlines in order; equal ones in the order of their making.

    >>> timers, seen = Timers(), []
    >>> _ = timers.at(10, lambda now: seen.append("late"))
    >>> timers.at(5, lambda now: seen.append("never")).cancel()
    >>> timers.next_deadline()
    10
    >>> timers.fire(10); seen
    ['late']
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def at(self, at_ms: float, action: Action) -> Timer:
        timer = Timer(at_ms, action)
        heapq.heappush(self._heap, (at_ms, next(self._order), timer))
        return timer

    def next_deadline(self) -> float | None:
        """When `fire` has something to do next, or None."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def fire(self, now_ms: float) -> None:
        """Do everything that is due."""
        while self._heap and self._heap[0][0] <= now_ms:
            timer = heapq.heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action is not None:
                action(now_ms)
