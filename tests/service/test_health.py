from __future__ import annotations

from millstream.runtime import TaskStatus, WorkerStatus
from millstream.service.health import alive, ready


def test_a_worker_is_alive_while_its_loop_turns():
    assert alive(WorkerStatus(), 10**9, 1_000).good, "it waits for its broker, which has a limit of its own"
    assert alive(WorkerStatus(at_ms=5_000.0), 6_000.0, 1_000).good
    assert not alive(WorkerStatus(at_ms=5_000.0), 6_001.0, 1_000).good


def test_a_worker_is_ready_when_every_task_runs():
    running, restoring = TaskStatus("0_0", "running"), TaskStatus("0_1", "restoring")
    assert ready(WorkerStatus(tasks=(running,))).good
    waiting = ready(WorkerStatus(tasks=(running, restoring)))
    assert (waiting.good, waiting.why) == (False, "0_1 is restoring")


def test_a_worker_without_tasks_is_ready_once_it_is_in_the_group():
    assert not ready(WorkerStatus()).good
    assert ready(WorkerStatus(member=True)).good
