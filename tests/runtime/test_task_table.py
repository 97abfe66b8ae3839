from __future__ import annotations

import pytest

from millstream.errors import PlanMismatchError, StateError
from millstream.model import Batch, OutBatch, TopicPartition
from millstream.plan.internal import TaskId, TaskSpec
from millstream.runtime.task_table import TaskTable, claims

SPECS = [TaskSpec(TaskId(0, 0), (), {}), TaskSpec(TaskId(0, 1), (), {})]
TABLE = TaskTable.of("app", "aaaa", SPECS)
FIRST, SECOND = TopicPartition("app-tasks", 0), TopicPartition("app-tasks", 1)


def stored(*written: OutBatch) -> list[Batch]:
    return [
        Batch(each.target, range(len(each)), each.timestamps, each.keys, each.values, None, len(each))
        for each in written
    ]


def test_every_task_has_a_partition():
    assert TABLE.task_of(SECOND) is SPECS[1]
    assert [batch.target for batch in TABLE.missing({})] == [FIRST, SECOND]


def test_what_is_claimed_reads_back_and_is_not_claimed_again():
    found = claims(stored(*TABLE.missing({})))
    TABLE.check(found)
    assert TABLE.missing(found) == []
    assert [batch.target for batch in TABLE.missing({FIRST: found[FIRST]})] == [SECOND]


def test_the_first_plan_to_write_decides():
    other = TaskTable.of("app", "bbbb", SPECS)
    found = claims(stored(*TABLE.missing({}), *other.missing({})))
    TABLE.check(found)
    with pytest.raises(PlanMismatchError, match="plan aaaa, ours is bbbb"):
        other.check(found)


def test_another_number_of_partitions_is_refused():
    wider = TaskTable.of("app", "aaaa", [TaskSpec(TaskId(0, 0), (), {}), TaskSpec(TaskId(1, 0), (), {})])
    with pytest.raises(PlanMismatchError, match="stands for task 0_1, but here it would be 1_0"):
        wider.check(claims(stored(*TABLE.missing({}))))
    narrower = TaskTable.of("app", "aaaa", SPECS[:1])
    with pytest.raises(PlanMismatchError, match="task 0_1, but here it would be none"):
        narrower.check(claims(stored(*TABLE.missing({}))))


def test_other_records_are_passed_over_and_broken_ones_named():
    others = Batch(FIRST, [0, 1], [1, 1], [b"address", None], [b"host:1", b""], None, 2)
    assert claims([others]) == {}
    with pytest.raises(StateError, match="app-tasks-0"):
        claims([Batch(FIRST, [0], [1], [b"task:aaaa"], [b"no json"], None, 1)])
