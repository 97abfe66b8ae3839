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

BEGIN_FACTOR = 10


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
class Turn:
    """Run one task up to a timestamp; None: as far as it has records."""

    task: TaskId
    up_to_ms: int | None


def horizon(inputs: Iterable[InputView], heads: Iterable[int | None], lag_wait_ms: int) -> int | None:
    """Up to when the tasks of a sub-topology may run in this round; None: as far as they have records.

    That is the newest timestamp of the partition that is furthest behind. Partitions read to their end hold nobody
    back; nor do those of which nothing came or went for lag_wait_ms, or for ten times that when nothing ever came: a
    client needs its time to begin.

    `heads` are the earliest timestamps of the tasks that have records, None for those that wait for another input.
    Timestamps that a program extracts itself need not be near those that partitions were seen to have. When all heads
    lie beyond the horizon although no partition lacks records, the two have nothing to do with each other, and it is
    passed over.

    >>> behind = InputView(buffered=10, newest_ms=500, caught_up=False, quiet_ms=0)
    >>> ahead = InputView(buffered=99, newest_ms=900, caught_up=False, quiet_ms=0)
    >>> horizon([behind, ahead], heads=[450, 700], lag_wait_ms=500)
    500
    """
    holding = [view for view in inputs if not view.caught_up and view.quiet_ms < _patience_ms(view, lag_wait_ms)]
    if not holding:
        return None
    newest_ms = min(view.newest_ms for view in holding)
    foreign = all(view.buffered for view in holding) and all(head is not None and head > newest_ms for head in heads)
    return None if foreign else newest_ms


def _patience_ms(view: InputView, lag_wait_ms: int) -> int:
    return lag_wait_ms if view.newest_ms >= 0 else BEGIN_FACTOR * lag_wait_ms


def next_turn(heads: Mapping[TaskId, int], horizon_ms: int | None, skew_ms: int) -> Turn | None:
    """The task with the earliest record, as far as the horizon and the next task's head, plus the skew, allow.

    `heads` has the earliest timestamp of each task that can process. None: nothing may run before more is fetched.

    >>> a, b = TaskId(0, 0), TaskId(0, 1)
    >>> next_turn({a: 100, b: 4_000}, horizon_ms=None, skew_ms=1_000)
    Turn(task=TaskId(subtopology=0, partition=0), up_to_ms=5000)
    """
    if not heads:
        return None
    first = min(heads, key=lambda task: (heads[task], task))
    if horizon_ms is not None and heads[first] > horizon_ms:
        return None
    others = [head for task, head in heads.items() if task != first]
    bounds = [horizon_ms] if horizon_ms is not None else []
    if others:
        bounds.append(min(others) + skew_ms)
    return Turn(first, min(bounds) if bounds else None)
