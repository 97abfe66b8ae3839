"""Punctuations: callbacks by stream time or by wall clock (rules P3-P5)."""

from __future__ import annotations

from collections.abc import Callable
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
        self._items: list[Punctuation] = []

    def add(self, item: Punctuation) -> None:
        self._items.append(item)
        self.next_due = min(self.next_due, item.due)

    def run(self, now: int) -> bool:
        """Call what is due; whether anything was."""
        called = False
        for item in self._items.copy():
            if item.due <= now and not item.cancelled:
                # first multiple of the interval after now, counted from the anchor
                item.due = item.anchor + ((now - item.anchor) // item.interval_ms + 1) * item.interval_ms
                called = True
                item.call(now)
        self._items = [item for item in self._items if not item.cancelled]
        self.next_due = min((item.due for item in self._items), default=NEVER)
        return called


def first_due(kind: ClockKind, interval_ms: int, now: int, start: int | None) -> tuple[int, int]:
    """(first due time, anchor): stream time counts from 0, wall clock from now, both from `start` if given (P3, P4)."""
    if start is None:
        return (0, 0) if kind == "stream-time" else (now + interval_ms, now)
    if kind == "stream-time" or start > now:
        return start, start
    return start + ((now - start) // interval_ms + 1) * interval_ms, start
