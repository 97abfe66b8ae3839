"""Time that goes on by the wall clock while no records come, so that what waits for it is passed on.

An operator's time is that of its records (rule T5), so without new ones no window closes. With `idle_after_ms` its time
may go on: once no record has come to it for so long, what is due at the stream time D is passed on when the wall clock
has gone on, beyond those idle_after_ms, by as much as D lies ahead of the operator's time. The time becomes D then, and
no later: a record is late by idleness only for what was passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from millstream.engine.context import TaskContext


class IdleTimer:
    """One operator's. `time` tells its stream time, `due` the one at which something that waits is due, None if nothing
    waits; `pass_time` sets it, and passes on what is due.
    """

    __slots__ = ("_base_time", "_base_wall_ms", "_due", "_idle_after_ms", "_pass_time", "_time", "_touched")

    def __init__(
        self,
        idle_after_ms: int,
        time: Callable[[], int],
        due: Callable[[], int | None],
        pass_time: Callable[[int], None],
    ) -> None:
        self._idle_after_ms = idle_after_ms
        self._time, self._due, self._pass_time = time, due, pass_time
        self._base_time = -1
        self._base_wall_ms = 0
        self._touched = False

    def watching(self, function: Callable[..., None]) -> Callable[..., None]:
        """The operator's function, each call of which begins the waiting anew."""

        def watched(*row: Any) -> None:
            self._touched = True
            function(*row)

        return watched

    def begin(self, wall_ms: int) -> None:
        self._base_time, self._base_wall_ms, self._touched = self._time(), wall_ms, False

    def notice(self, wall_ms: int) -> None:
        """Count from now on, if a record has come since the last look."""
        if self._touched:
            self.begin(wall_ms)

    def next_wall_ms(self) -> int | None:
        """When something is to be passed on; None if nothing waits."""
        due = self._due()
        if due is None:
            return None
        return self._base_wall_ms + self._idle_after_ms + max(0, due - self._base_time)

    def run(self) -> int:
        """Pass on what is due next; returns the stream time."""
        due = self._due()
        assert due is not None
        self._pass_time(due)
        return due


class IdleClock:
    """The timers of a task, from parents to children."""

    def __init__(self) -> None:
        self.timers: list[IdleTimer] = []

    def begin(self, wall_ms: int) -> None:
        for timer in self.timers:
            timer.begin(wall_ms)

    def notice(self, wall_ms: int) -> None:
        for timer in self.timers:
            timer.notice(wall_ms)

    def next_wall_ms(self) -> int | None:
        return min((at for timer in self.timers if (at := timer.next_wall_ms()) is not None), default=None)

    def run(self, wall_ms: int, context: TaskContext) -> bool:
        """Pass on everything that is due, the earliest first; whether there was anything."""
        self.notice(wall_ms)
        called = False
        while (timer := _first(self.timers, wall_ms)) is not None:
            called = True
            context.timestamp = timer.run()
            self.notice(wall_ms)
        return called


def _first(timers: Sequence[IdleTimer], wall_ms: int) -> IdleTimer | None:
    due = [(at, number) for number, timer in enumerate(timers) if (at := timer.next_wall_ms()) is not None]
    return timers[min(due)[1]] if due and min(due)[0] <= wall_ms else None
