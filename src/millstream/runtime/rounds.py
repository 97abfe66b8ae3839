"""Which task runs next and how far, so that tasks of one sub-topology stay close to each other in event time.

A replay is read from several partitions, some of which are ahead. Were each task run as far as it has records, they
would write a repartition topic far out of time order, and windows with a short grace would drop what is late. So tasks
that catch up are merged by time: none goes past what the partition that is furthest behind is known to have (the
horizon), nor past the next task by more than a skew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from millstream.plan.internal import TaskId


@dataclass(frozen=True, slots=True)
class InputView:
    """One input partition as the worker sees it.

    `newest_ms` is the largest timestamp that was ever fetched of it (-1: none); `quiet_ms` the wall time since records
    of it were last fetched or processed.
    """

    buffered: int
    newest_ms: int
    caught_up: bool
    quiet_ms: int


@dataclass(frozen=True, slots=True)
class Horizon:
    """Up to when tasks may run: `limit_ms` None is no limit. `waiting`: a partition that sets it has nothing here."""

    limit_ms: int | None
    waiting: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """Run one task up to a timestamp; None: as far as it has records."""

    task: TaskId
    up_to_ms: int | None


def horizon(inputs: Iterable[InputView], lag_wait_ms: int) -> Horizon:
    """The newest timestamp of the partition that is furthest behind.

    Partitions read to their end hold nobody back; nor do those of which nothing came or went for lag_wait_ms.

    >>> behind = InputView(buffered=10, newest_ms=500, caught_up=False, quiet_ms=0)
    >>> ahead = InputView(buffered=99, newest_ms=900, caught_up=False, quiet_ms=0)
    >>> horizon([behind, ahead], lag_wait_ms=500)
    Horizon(limit_ms=500, waiting=False)
    """
    holding = [view for view in inputs if not view.caught_up and view.quiet_ms < lag_wait_ms]
    if not holding:
        return Horizon(None, waiting=False)
    return Horizon(min(view.newest_ms for view in holding), any(view.buffered == 0 for view in holding))


def next_turn(heads: Mapping[TaskId, int], limit: Horizon, skew_ms: int) -> Turn | None:
    """The task with the earliest record, as far as the horizon and the next task's head, plus the skew, allow.

    `heads` has the earliest timestamp of each task that can process. None: nothing may run before more is fetched.
    Timestamps that a program extracts itself need not be near those that the horizon was told from; when all records
    lie beyond it although no partition lacks records, it means nothing and is passed over.

    >>> a, b = TaskId(0, 0), TaskId(0, 1)
    >>> next_turn({a: 100, b: 4_000}, Horizon(None, waiting=False), skew_ms=1_000)
    Turn(task=TaskId(subtopology=0, partition=0), up_to_ms=5000)
    """
    if not heads:
        return None
    first = min(heads, key=lambda task: (heads[task], task))
    limit_ms = limit.limit_ms
    if limit_ms is not None and heads[first] > limit_ms:
        if limit.waiting:
            return None
        limit_ms = None
    others = [head for task, head in heads.items() if task != first]
    bounds = [limit_ms] if limit_ms is not None else []
    if others:
        bounds.append(min(others) + skew_ms)
    return Turn(first, min(bounds) if bounds else None)
