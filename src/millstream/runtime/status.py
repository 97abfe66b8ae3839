"""What a worker tells of itself: a snapshot, made by the worker, that any thread may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One task. `lag` counts records that are not fetched yet, None while unknown; `restored` rows and of how many.

    `partition` is its own of the tasks topic. Bytes are about right: they are reckoned from a sample of each batch.
    Latency is from a record's timestamp to its processing, in ms, of the last one looked at, and summed over all these.
    `stores` has about how many rows are in each, as far as that can be known without a walk through them.
    """

    id: str
    state: str
    partition: int = -1
    records: int = 0
    dropped: int = 0
    late: int = 0
    dead_letters: int = 0
    buffered: int = 0
    lag: int | None = None
    restored: int = 0
    to_restore: int = 0
    bytes: int = 0
    buffered_bytes: int = 0
    latency_ms: int = 0
    latency_sum_ms: int = 0
    latency_count: int = 0
    stores: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StandbyStatus:
    """One standby copy. `lag` counts records of its changelogs that it lacks, None while unknown; `rows` what it read.

    `rank` is 0 for the worker that would be given the task if its owner ended, 1 for the next.
    """

    id: str
    partition: int
    rank: int
    lag: int | None
    rows: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker: sums over its tasks, also those it no longer holds, and rates of the last second or so.

    Of the rows that were `sent`, `refused` were passed over, or sent again, because the broker did not take them.
    `at_ms` is when this was made, on the clock that never goes back; `member` whether it is in the group, as a worker
    without tasks knows it. `commit_ms` is what all commits took together.
    """

    tasks: tuple[TaskStatus, ...] = ()
    standbys: tuple[StandbyStatus, ...] = ()
    records: int = 0
    dropped: int = 0
    late: int = 0
    dead_letters: int = 0
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    commits: int = 0
    records_per_s: float = 0.0
    bytes: int = 0
    rounds: int = 0
    commit_ms: float = 0.0
    restored: int = 0
    cache_bytes: int = 0
    at_ms: float | None = None
    member: bool = False
    paused: bool = False
    ready: bool = False

    @property
    def lag(self) -> int | None:
        """Records not fetched yet in all tasks; None while that of one is unknown."""
        lags = [task.lag for task in self.tasks]
        return None if None in lags else sum(lag for lag in lags if lag is not None)

    @property
    def idle(self) -> bool:
        """All that has been written to the inputs is processed, and no result is on its way."""
        running = all(task.state == "running" and task.lag == 0 and task.buffered == 0 for task in self.tasks)
        return self.ready and running and self.sent == self.acknowledged + self.refused
