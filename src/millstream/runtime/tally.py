"""The worker's figures, gathered for its status."""

from __future__ import annotations

from millstream.runtime.commit import Committer
from millstream.runtime.held import HeldTask
from millstream.runtime.opening import Surroundings
from millstream.runtime.outlet import Outlet
from millstream.runtime.status import TaskStatus, WorkerStatus
from millstream.runtime.tasks import Tasks
from millstream.runtime.transaction import Procedure

PERIOD_MS = 200
RATE_PERIOD_MS = 1_000


class Tally:
    """Makes a snapshot now and then."""

    def __init__(self, tasks: Tasks, surroundings: Surroundings, outlet: Outlet, committer: Committer) -> None:
        self._tasks = tasks
        self._membership = surroundings.membership
        self._cache = surroundings.local.budget
        self._intake = surroundings.intake
        self._outlet = outlet
        self._committer = committer
        self._clock = surroundings.clock
        self._latest = WorkerStatus()
        self._made_at_ms = float("-inf")
        self._rate = 0.0
        self._rate_from: tuple[float, int] = (self._clock.monotonic_ms(), 0)
        self._sizes: dict[str, dict[str, int]] = {}
        self._member = False
        self._commit_ms = 0.0
        self.rounds = 0

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
            self._look_rarely()
        return WorkerStatus(
            tasks=tasks,
            records=records,
            dropped=past.dropped + sum(task.dropped for task in tasks),
            late=past.late + sum(task.late for task in tasks),
            dead_letters=past.dead_letters + sum(task.dead_letters for task in tasks),
            sent=self._outlet.sent,
            acknowledged=self._outlet.acknowledged,
            refused=self._outlet.refused,
            commits=self._committer.commits,
            records_per_s=self._rate,
            bytes=self._intake.bytes,
            rounds=self.rounds,
            commit_ms=self._commit_ms,
            restored=past.restored + sum(held.restored_rows for held in self._tasks),
            standbys=() if self._tasks.standbys is None else self._tasks.standbys.statuses(),
            cache_bytes=self._cache.bytes,
            at_ms=now_ms,
            member=bool(tasks) or self._member,
            ready=bool(tasks) and all(held.running for held in self._tasks),
        )

    def timed(self, procedure: Procedure) -> Procedure:
        """A commit, with what it takes noted."""
        began_ms = self._clock.monotonic_ms()
        yield from procedure
        self._commit_ms += self._clock.monotonic_ms() - began_ms

    def lag(self, held: HeldTask) -> int | None:
        """Records of a task's inputs that are written and not processed; None while that is not known."""
        lags = [self._intake.lag(source) for source in held.spec.inputs]
        return None if None in lags else sum(lag or 0 for lag in lags) + held.task.buffered_rows()

    def _look_rarely(self) -> None:
        """What costs more than the rest, once a second."""
        self._sizes = {str(held.spec.id): held.compiled.sizes() for held in self._tasks if held.compiled is not None}
        self._member = len(self._tasks) > 0 or self._membership.group_metadata() is not None

    def _task(self, held: HeldTask) -> TaskStatus:
        restored = sum(each.position - each.begin for each in held.restoring.values())
        to_restore = sum(each.end - each.begin for each in held.restoring.values())
        place = held.partition.partition
        if held.compiled is None:
            return TaskStatus(str(held.spec.id), held.state.value, place, restored=restored, to_restore=to_restore)
        buffered = held.compiled.buffered_rows()
        metrics = held.compiled.metrics
        lags = [self._intake.lag(source) for source in held.spec.inputs]
        return TaskStatus(
            id=str(held.spec.id),
            state=held.state.value,
            records=metrics.records,
            dropped=metrics.dropped,
            late=metrics.late,
            dead_letters=metrics.dead_letters,
            partition=place,
            buffered=buffered,
            lag=None if None in lags else sum(lag for lag in lags if lag is not None),
            restored=restored,
            to_restore=to_restore,
            bytes=sum(self._intake.bytes_of(source) for source in held.fetched),
            buffered_bytes=round(buffered * self._intake.row_bytes),
            latency_ms=metrics.latency_ms,
            latency_sum_ms=metrics.latency_sum_ms,
            latency_count=metrics.latency_count,
            stores=self._sizes.get(str(held.spec.id), {}),
        )
