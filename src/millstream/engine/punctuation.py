"""Punctuations: callbacks by stream time or by wall clock (rules P3-P5)."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Literal, TypeAlias

ClockKind: TypeAlias = Literal["stream-time", "wall-clock"]

NEVER = 2**63 - 1


class Punctuation:
    """One schedule. `due` is the time from which it is to be called; `cancel` ends it, also from within the call."""

    __slots__ = ("anchor", "call", "cancelled", "due", "interval_ms", "kind")

    def __init__(self, kind: ClockKind, interval_ms: int, due: int, anchor: int, call: Callable[[int], None]) -> None:
        self.kind = kind
        self.interval_ms = interval_ms
        self.due = due
        self.anchor = anchor
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        """Never call it again."""
        self.cancelled = True


class Schedule:
    """All punctuations of one kind of clock of a task. Missed calls collapse into one (rule P3)."""

    def __init__(self) -> None:
        self.next_due = NEVER
        self._items: list[tuple[int, int, Punctuation]] = []  # a heap by (due, number)
        self._number = 0

    def add(self, item: Punctuation) -> None:
        self._number += 1
        heappush(self._items, (item.due, self._number, item))
        self.next_due = self._items[0][0]

    def run(self, now: int) -> bool:
        """Call what is due, the earliest first; whether anything was. What a call adds waits for the next time."""
        due: list[Punctuation] = []
        while self._items and (self._items[0][0] <= now or self._items[0][2].cancelled):
            item = heappop(self._items)[2]
            if not item.cancelled:
                due.append(item)
        for item in due:
            # first multiple of the interval after now, counted from the anchor
            item.due = item.anchor + ((now - item.anchor) // item.interval_ms + 1) * item.interval_ms
            self.add(item)
        self.next_due = self._items[0][0] if self._items else NEVER
        for item in due:
            if not item.cancelled:
                item.call(now)
        return bool(due)


def first_due(kind: ClockKind, interval_ms: int, now: int, start: int | None) -> tuple[int, int]:
    """(first due time, anchor): stream time counts from 0, wall clock from now, both from `start` if given (P3, P4)."""
    if start is None:
        return (0, 0) if kind == "stream-time" else (now + interval_ms, now)
    if kind == "stream-time" or start > now:
        return start, start
    return start + ((now - start) // interval_ms + 1) * interval_ms, start
