"""The worker's figures, gathered for its status."""

from __future__ import annotations

from millstream.runtime.clock import Clock
from millstream.runtime.commit import Committer
from millstream.runtime.held import HeldTask
from millstream.runtime.intake import Intake
from millstream.runtime.outlet import Outlet
from millstream.runtime.status import TaskStatus, WorkerStatus
from millstream.runtime.tasks import Tasks

PERIOD_MS = 200
RATE_PERIOD_MS = 1_000


class Tally:
    """Makes a snapshot now and then."""

    def __init__(self, tasks: Tasks, intake: Intake, outlet: Outlet, committer: Committer, clock: Clock) -> None:
        self._tasks = tasks
        self._intake = intake
        self._outlet = outlet
        self._committer = committer
        self._clock = clock
        self._latest = WorkerStatus()
        self._made_at_ms = float("-inf")
        self._rate = 0.0
        self._rate_from: tuple[float, int] = (clock.monotonic_ms(), 0)

    def snapshot(self) -> WorkerStatus:
        """The latest one, made anew when it is old."""
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._made_at_ms >= PERIOD_MS:
            self._made_at_ms = now_ms
            self._latest = self._made(now_ms)
        return self._latest

    def last(self) -> WorkerStatus:
        """One made now, for the end."""
        self._made_at_ms = float("-inf")
        return self.snapshot()

    def _made(self, now_ms: float) -> WorkerStatus:
        tasks = tuple(self._task(held) for held in self._tasks)
        past = self._tasks.past
        records = past.records + sum(task.records for task in tasks)
        since_ms, before = self._rate_from
        if now_ms - since_ms >= RATE_PERIOD_MS:
            self._rate = (records - before) * 1000 / (now_ms - since_ms)
            self._rate_from = (now_ms, records)
        return WorkerStatus(
            tasks=tasks,
            records=records,
            dropped=past.dropped + sum(task.dropped for task in tasks),
            late=past.late + sum(task.late for task in tasks),
            dead_letters=past.dead_letters + sum(task.dead_letters for task in tasks),
            sent=self._outlet.sent,
            acknowledged=self._outlet.acknowledged,
            commits=self._committer.commits,
            records_per_s=self._rate,
            ready=bool(tasks) and all(held.running for held in self._tasks),
        )

    def _task(self, held: HeldTask) -> TaskStatus:
        restored = sum(each.position - each.begin for each in held.restoring.values())
        to_restore = sum(each.end - each.begin for each in held.restoring.values())
        if held.compiled is None:
            return TaskStatus(str(held.spec.id), held.state.value, restored=restored, to_restore=to_restore)
        metrics = held.compiled.metrics
        lags = [self._intake.lag(source) for source in held.spec.inputs]
        return TaskStatus(
            id=str(held.spec.id),
            state=held.state.value,
            records=metrics.records,
            dropped=metrics.dropped,
            late=metrics.late,
            dead_letters=metrics.dead_letters,
            buffered=held.compiled.buffered_rows(),
            lag=None if None in lags else sum(lag for lag in lags if lag is not None),
            restored=restored,
            to_restore=to_restore,
        )
