"""What is put together of what workers tell."""

from __future__ import annotations

from millstream.model import Batch, TopicPartition
from millstream.remote import overview
from millstream.remote.directory import Place
from millstream.remote.overview import StandbyLine
from millstream.runtime.owners import owner_record, owners, standby_key, standbys

TASK = TopicPartition("app-tasks", 3)


def status(tasks: list[str], copies: dict[str, tuple[int, int | None]]) -> dict[str, object]:
    running = {"state": "running", "lag": 0, "buffered": 0, "records": 1, "latency_ms": 1}
    return {
        "ready": True,
        "records": 1,
        "records_per_s": 1.0,
        "tasks": [{"id": each, **running} for each in tasks],
        "standbys": [{"id": task, "rank": rank, "lag": lag} for task, (rank, lag) in copies.items()],
    }


def test_copies_stand_with_their_task_the_first_successors_first():
    told = {"a:1": status(["0_0"], {}), "b:1": status([], {"0_0": (1, None)}), "c:1": status([], {"0_0": (0, 7)})}
    found = overview([Place("0_0", "a:1", ("c:1", "b:1"))], told)
    (task,) = found.tasks
    assert task.worker == "a:1"
    assert task.standbys == (StandbyLine("c:1", 7), StandbyLine("b:1", None))
    assert {each.address: (each.tasks, each.standbys) for each in found.workers} == {
        "a:1": (1, 0),
        "b:1": (0, 1),
        "c:1": (0, 1),
    }


def test_a_worker_that_keeps_no_copies_and_an_older_one_tell_none():
    older = status(["0_0"], {})
    del older["standbys"]
    found = overview([Place("0_0", "a:1")], {"a:1": older})
    assert found.tasks[0].standbys == () and found.workers[0].standbys == 0


def test_the_tasks_topic_tells_owners_and_copies_apart():
    told = [
        owner_record(TASK, "old:1", 1),
        owner_record(TASK, "c:1", 2, standby_key(1)),
        owner_record(TASK, "b:1", 3, standby_key(0)),
        owner_record(TASK, "a:1", 4),
    ]
    batches = [Batch(TASK, [n], each.timestamps, each.keys, each.values, None, n + 1) for n, each in enumerate(told)]
    assert owners(batches) == {TASK: "a:1"}
    assert standbys(batches) == {TASK: ("b:1", "c:1")}
    assert Place("0_3", "a:1", ("b:1", "c:1")).addresses == ("a:1", "b:1", "c:1")
    assert Place("0_3", None, ("b:1",)).addresses == ("b:1",)
