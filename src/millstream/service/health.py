"""Whether a worker is alive, and whether it is ready, judged from its latest snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.runtime import WorkerStatus


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to a probe, and why."""

    good: bool
    why: str


def alive(status: WorkerStatus, now_ms: float, limit_ms: int) -> Judgement:
    """A worker is alive while its loop turns. Before the first turn it waits for its broker, within limits of its own.

    >>> alive(WorkerStatus(at_ms=1_000.0), 70_000.0, 60_000)
    Judgement(good=False, why='the loop has not turned for 69 s')
    """
    if status.at_ms is None:
        return Judgement(True, "starting")
    still_ms = now_ms - status.at_ms
    if still_ms > limit_ms:
        return Judgement(False, f"the loop has not turned for {still_ms / 1000:.0f} s")
    return Judgement(True, "alive")


def ready(status: WorkerStatus) -> Judgement:
    """A worker is ready when all tasks that the group gave it run, or when the group has none for it.

    >>> ready(WorkerStatus(member=True))
    Judgement(good=True, why='the group has no task for this worker')
    """
    waiting = [f"{task.id} is {task.state}" for task in status.tasks if task.state != "running"]
    if waiting:
        return Judgement(False, ", ".join(waiting))
    if status.tasks:
        return Judgement(True, f"{len(status.tasks)} tasks run")
    if status.member:
        return Judgement(True, "the group has no task for this worker")
    return Judgement(False, "not in the group yet")
