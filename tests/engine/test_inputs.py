"""Which record comes next, and when there is none to be taken yet (T1, T6, T7, F15, X7)."""

from __future__ import annotations

import base64

import pytest

import millstream as ms
from millstream.engine import EngineSettings, Outbox, Task
from millstream.engine.outbox import TopicBuffer
from millstream.engine.remembered import FEW, Remembered
from millstream.engine.sink import addressing
from millstream.model import TopicPartition
from millstream.serde import STRING
from tests.driving import every
from tests.engine.tasks import Plan, Row, batch_of, rows_of

A, B, OUT = TopicPartition("A", 0), TopicPartition("B", 0), TopicPartition("out", 0)


class Two:
    """A task of two inputs whose records are told by their times."""

    def __init__(self, wait_ms: int | None = 0) -> None:
        app = every()
        app.stream("A", value=str).merge(app.stream("B", value=str)).to("out")
        plan = Plan(app, {"A": 1, "B": 1, "out": 1}, settings=EngineSettings(wait_for_inputs_ms=wait_ms))
        self.task: Task
        self.outbox: Outbox
        self.task, self.outbox = plan.only_task()
        self.next = {A: 0, B: 0}

    def add(self, source: TopicPartition, *times: int) -> None:
        rows = [Row(b"k", source.topic.encode(), time) for time in times]
        self.task.add(batch_of(source, rows, self.next[source]))
        self.next[source] += len(times)

    def ended(self, *sources: TopicPartition) -> None:
        for source in sources:
            self.task.caught_up(source, self.next[source])

    def go(self, wall_ms: int = 0, max_rows: int = 100, up_to_ms: int | None = None) -> list[str]:
        self.task.process(max_rows=max_rows, up_to_ms=up_to_ms, wall_ms=wall_ms)
        rows = [row for batch in self.outbox.drain() for row in rows_of(batch)]
        return [f"{(row.value or b'').decode()}{row.timestamp}" for row in rows]


def test_the_smallest_head_is_next_and_late_records_wait_behind_their_predecessors() -> None:  # T6
    two = Two()
    two.add(A, 100, 110, 120)
    two.add(B, 105, 115, 125, 103)
    two.ended(A, B)
    assert two.go() == ["A100", "B105", "A110", "B115", "A120", "B125", "B103"]


@pytest.mark.parametrize("max_rows", [1, 2, 100])
def test_ties_go_to_the_lowest_partition(max_rows: int) -> None:  # T6
    two = Two()
    two.add(B, 5, 5, 7)
    two.add(A, 5, 5, 7)
    two.ended(A, B)
    said = [record for _ in range(6) for record in two.go(max_rows=max_rows)]
    assert said == ["A5", "A5", "B5", "B5", "A7", "B7"]


def test_an_empty_input_blocks_until_its_end_was_seen() -> None:  # T7, 0
    two = Two()
    two.add(A, 1, 9)
    assert two.go() == []
    assert two.task.head_time(0) is None
    two.add(B, 5)
    assert two.go() == ["A1", "B5"]
    two.ended(B)
    assert two.task.head_time(0) == 9
    assert two.go() == ["A9"]


def test_the_end_seen_is_no_end_when_more_has_come() -> None:  # T7
    two = Two()
    two.ended(B)
    two.add(B, 3)
    two.add(A, 1, 9)
    assert two.go() == ["A1", "B3"]
    assert two.go() == [], "what lies behind B3 is not known"


def test_never_waiting() -> None:  # T7, -1
    two = Two(wait_ms=None)
    two.add(A, 9)
    assert two.go() == ["A9"]
    two.add(B, 5)
    assert two.go() == ["B5"]


def test_waiting_for_a_time_that_data_resets() -> None:  # T7, > 0
    two = Two(wait_ms=10)
    two.ended(A, B)
    two.add(A, 5)
    two.ended(A)
    assert two.go(wall_ms=100) == []
    assert two.go(wall_ms=109) == []
    two.add(B, 4)
    two.ended(B)
    assert two.go(wall_ms=109) == ["B4"]
    assert two.go(wall_ms=118) == []
    assert two.go(wall_ms=119) == ["A5"]


def test_nothing_above_a_bound() -> None:
    two = Two()
    two.add(A, 1, 5, 3, 9)
    two.add(B, 2, 8)
    two.ended(A, B)
    assert two.go(up_to_ms=4) == ["A1", "B2"]
    assert two.go(up_to_ms=5) == ["A5", "A3"]
    assert two.go() == ["B8", "A9"]


def test_what_is_buffered_is_counted() -> None:
    two = Two()
    two.add(A, 1, 2, 3)
    two.ended(A, B)
    assert (two.task.buffered(A), two.task.buffered_rows()) == (3, 3)
    two.go(max_rows=2)
    assert (two.task.buffered(A), two.task.buffered_rows()) == (1, 1)


def test_what_was_discarded_is_read_again_before_the_end_is_believed() -> None:  # T7
    two = Two()
    two.add(A, 5)
    two.add(B, 1, 2, 3)
    two.ended(A, B)
    assert two.go(max_rows=1) == ["B1"]
    two.task.discard()
    assert two.task.buffered_rows() == 0
    two.next = {A: 0, B: 1}
    two.add(A, 5)
    two.add(B, 2)
    assert two.go() == ["B2"], "B3 is to come"


def test_partition_times_are_in_the_metadata_and_come_back() -> None:  # T1, F15
    two = Two()
    two.add(A, 140, 7)
    two.ended(A, B)
    two.go()
    positions = two.task.positions()
    assert positions[A][0] == 2
    assert base64.b64decode(positions[A][1]).hex() == "02" + "000000000000008c"
    assert B not in positions


@pytest.mark.parametrize("text", ["", "x", "!!!", "AAAA", "é", "AgAAAAAAAACM\0"])
def test_metadata_that_cannot_be_read_counts_as_none(text: str) -> None:
    Two().task.resume({A: text})


def test_the_time_function_sees_the_partition_time_of_before() -> None:  # T1, F15
    app = every()
    app.stream("A", value=str, time=lambda k, v, recorded, partition_time: partition_time).to("out")
    plan = Plan(app, {"A": 1, "out": 1})
    (spec,) = plan.resolved.tasks
    outbox = plan.outbox()
    task = plan.task(spec, outbox)
    task.resume({A: base64.b64encode(b"\x02" + (140).to_bytes(8, "big")).decode()})
    task.start()
    task.add(batch_of(A, [Row(b"k", b"v", 5)]))
    task.process(max_rows=1, up_to_ms=None, wall_ms=0)
    assert [row.timestamp for batch in outbox.drain() for row in rows_of(batch)] == [140]


def test_remembered_keys_are_bounded() -> None:
    keys = Remembered(bytes.decode, most=3)
    for number in range(60):
        assert keys[b"%d" % number] == str(number)
        assert len(keys) <= 3
    assert b"0" not in keys  # others have come for long enough


def test_more_keys_are_remembered_where_they_are_hashed() -> None:
    asked: list[int] = []
    for partitions in (1, 2):
        find = addressing(STRING, TopicBuffer("out", partitions))
        for number in range(FEW + 1):
            find(str(number))
        asked.append(len(find.__self__))  # type: ignore[attr-defined]
    assert asked == [FEW, FEW + 1]


class Clocked:
    """Schedules on the wall clock as it is when the task starts."""

    def init(self, context: ms.ProcessorContext) -> None:
        context.schedule(100, "wall-clock", lambda now: None)

    def process(self, record: ms.Message) -> None: ...


def test_wall_clock_schedules_count_from_the_start_not_from_before_restoring() -> None:  # P4
    app = every()
    app.stream("A", value=str).process(Clocked).to("out")
    plan = Plan(app, {"A": 1, "out": 1})
    (spec,) = plan.resolved.tasks
    task = plan.task(spec, plan.outbox(), wall_ms=1000)
    task.start(wall_ms=61_000)
    assert task.next_wall_punctuation() == 61_100
