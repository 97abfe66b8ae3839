"""A running application at a glance: its workers, its tasks, and how far behind they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from millstream.remote.directory import Place


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """A worker that told where it answers. `answers` is False where nobody is there now."""

    address: str
    answers: bool
    ready: bool = False
    tasks: int = 0
    standbys: int = 0
    records_per_s: float = 0.0
    records: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class StandbyLine:
    """A standby copy of a task; `lag` counts the records of its changelogs that it lacks, None while unknown."""

    worker: str
    lag: int | None


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task; its figures are None where no worker tells them. `lag` counts what is not processed yet."""

    task: str
    worker: str | None
    state: str
    lag: int | None = None
    records: int | None = None
    latency_ms: int | None = None
    standbys: tuple[StandbyLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it."""

    workers: tuple[WorkerLine, ...]
    tasks: tuple[TaskLine, ...]


def overview(places: Sequence[Place], told: Mapping[str, Mapping[str, Any] | None]) -> Overview:
    """Put together what the tasks topic says and what each worker's `/status` says; None is a worker that is silent.

    >>> status = {"ready": True, "records": 7, "records_per_s": 2.0, "tasks": [
    ...     {"id": "0_0", "state": "running", "lag": 3, "buffered": 1, "records": 7, "latency_ms": 12}]}
    >>> found = overview([Place("0_0", "a:1"), Place("0_1", "b:1")], {"a:1": status, "b:1": None})
    >>> [(each.task, each.worker, each.state, each.lag) for each in found.tasks]
    [('0_0', 'a:1', 'running', 4), ('0_1', None, 'nobody answers', None)]
    """
    workers: list[WorkerLine] = []
    holders: dict[str, tuple[str, Mapping[str, Any]]] = {}
    copies: dict[str, list[tuple[int, StandbyLine]]] = {}
    for address, status in sorted(told.items()):
        if status is None:
            workers.append(WorkerLine(address, answers=False))
            continue
        held = status["tasks"]
        workers.append(
            WorkerLine(
                address,
                True,
                status["ready"],
                len(held),
                len(status.get("standbys", ())),
                status["records_per_s"],
                status["records"],
                status.get("paused", False),
            )
        )
        holders |= {task["id"]: (address, task) for task in held}
        for copy in status.get("standbys", ()):
            copies.setdefault(copy["id"], []).append((copy["rank"], StandbyLine(address, copy["lag"])))
    tasks = tuple(
        replace(
            _line(place, holders.get(place.task)),
            standbys=tuple(copy for _, copy in sorted(copies.get(place.task, ()), key=lambda each: each[0])),
        )
        for place in places
    )
    return Overview(tuple(workers), tasks)


def _line(place: Place, holder: tuple[str, Mapping[str, Any]] | None) -> TaskLine:
    if holder is None:
        return TaskLine(place.task, None, "unknown" if place.address is None else "nobody answers")
    address, task = holder
    lag = None if task["lag"] is None else task["lag"] + task["buffered"]
    return TaskLine(place.task, address, task["state"], lag, task["records"], task["latency_ms"])
