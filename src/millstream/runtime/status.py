"""What a worker tells of itself: a snapshot, made by the worker, that any thread may read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One task. `lag` counts records that are not fetched yet, None while unknown; `restored` rows and of how many."""

    id: str
    state: str
    records: int = 0
    dropped: int = 0
    late: int = 0
    dead_letters: int = 0
    buffered: int = 0
    lag: int | None = None
    restored: int = 0
    to_restore: int = 0


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker: sums over its tasks, also those it no longer holds, and rates of the last second or so."""

    tasks: tuple[TaskStatus, ...] = ()
    records: int = 0
    dropped: int = 0
    late: int = 0
    dead_letters: int = 0
    sent: int = 0
    acknowledged: int = 0
    commits: int = 0
    records_per_s: float = 0.0
    ready: bool = False

    @property
    def lag(self) -> int | None:
        """Records not fetched yet in all tasks; None while that of one is unknown."""
        lags = [task.lag for task in self.tasks]
        return None if None in lags else sum(lag for lag in lags if lag is not None)

    @property
    def idle(self) -> bool:
        """Everything that has been written to the inputs is processed, and every result is acknowledged."""
        running = all(task.state == "running" and task.lag == 0 and task.buffered == 0 for task in self.tasks)
        return self.ready and running and self.sent == self.acknowledged
