"""One round: buffered records run through the tasks for a bounded time, downstream sub-topologies first."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.config import Settings
from millstream.runtime.clock import Clock
from millstream.runtime.decisions import SMALLEST_CHUNK, chunk_rows
from millstream.runtime.held import HeldTask
from millstream.runtime.intake import Intake
from millstream.runtime.rounds import horizon, next_turn


class Processing:
    """Runs rounds over the running tasks of one worker."""

    def __init__(self, intake: Intake, settings: Settings, clock: Clock) -> None:
        self._intake = intake
        self._settings = settings
        self._clock = clock
        self._chunk = SMALLEST_CHUNK * 10
        self.held_back = False  # records wait for others that are behind

    def round(self, tasks: Sequence[HeldTask]) -> int:
        """Process for about `round_time_ms`; returns the number of records taken."""
        busy: dict[int, list[HeldTask]] = {}
        for held in tasks:
            if held.task.buffered_rows():
                busy.setdefault(held.spec.id.subtopology, []).append(held)
        self.held_back = bool(busy)
        taken = 0
        share_ms = self._settings.round_time_ms / max(1, len(busy))
        # What stands further down goes first, so that repartition topics are drained before they are filled.
        for sub in sorted(busy, reverse=True):
            members = [held for held in tasks if held.spec.id.subtopology == sub]
            taken += self._advance(busy[sub], members, share_ms)
        return taken

    def _advance(self, busy: Sequence[HeldTask], members: Sequence[HeldTask], share_ms: float) -> int:
        """Turns of one sub-topology's tasks: `busy` have records, all of its `members` hold the others back."""
        wall_ms, now_ms = self._clock.wall_ms(), self._clock.monotonic_ms()
        tasks = {held.spec.id: held for held in busy}
        waiting = {id_: held.task.head_time(wall_ms) for id_, held in tasks.items()}
        views = [self._intake.view(source, now_ms) for held in members for source in held.spec.inputs]
        limit_ms = horizon(views, waiting.values(), self._settings.lag_wait_ms)
        heads = {id_: head for id_, head in waiting.items() if head is not None}
        until_ms = now_ms + share_ms
        total = 0
        while now_ms < until_ms and (turn := next_turn(heads, limit_ms, self._settings.time_skew_ms)) is not None:
            held = tasks[turn.task]
            rows = held.task.process(max_rows=self._chunk, up_to_ms=turn.up_to_ms, wall_ms=wall_ms)
            before_ms, now_ms = now_ms, self._clock.monotonic_ms()
            self._intake.touch(held.spec.inputs, now_ms)
            head = held.task.head_time(wall_ms)
            if head is None or rows == 0:
                del heads[turn.task]
            else:
                heads[turn.task] = head
            if rows >= self._chunk or now_ms - before_ms > 1:
                self._chunk = chunk_rows(rows, now_ms - before_ms, self._chunk)
            total += rows
        return total
