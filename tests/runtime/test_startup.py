"""Claims of the tasks topic, before a worker joins the group."""

from __future__ import annotations

from tests.runtime.fakes import FakeData, FakeProducer, ManualClock

from millstream.model import TopicPartition
from millstream.plan.internal import TaskId, TaskSpec
from millstream.runtime.outlet import Outlet
from millstream.runtime.startup import Ground
from millstream.runtime.task_table import Claim, TaskTable

TABLE = TaskTable.of("app", "aaaa", [TaskSpec(TaskId(0, 0), (), {}), TaskSpec(TaskId(0, 1), (), {})])
FIRST, SECOND = TopicPartition("app-tasks", 0), TopicPartition("app-tasks", 1)


class Counting(FakeData):
    """An empty topic; counts how often a partition is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def watermarks(self, source: TopicPartition, *, timeout_ms: int) -> tuple[int, int]:
        self.looks += 1
        return super().watermarks(source, timeout_ms=timeout_ms)


def grounded() -> tuple[Ground, Counting, FakeProducer]:
    data, producer = Counting(), FakeProducer()
    return Ground(data, Outlet(producer), ManualClock(), 1_000), data, producer


def test_what_was_found_is_neither_looked_for_nor_claimed_again():
    ground, data, producer = grounded()
    ground.claim(TABLE, {FIRST: Claim("0_0", "aaaa"), SECOND: Claim("0_1", "aaaa")})
    assert (data.looks, producer.rows) == (0, [])


def test_what_nobody_has_claimed_is_claimed_and_looked_at_again():
    ground, data, producer = grounded()
    ground.claim(TABLE, {FIRST: Claim("0_0", "aaaa")})
    assert ([target for target, _ in producer.rows], data.looks) == ([SECOND], 2)


def test_where_nobody_has_looked_it_looks_before_it_claims():
    ground, data, producer = grounded()
    ground.claim(TABLE, None)
    assert ([target for target, _ in producer.rows], data.looks) == ([FIRST, SECOND], 4)
