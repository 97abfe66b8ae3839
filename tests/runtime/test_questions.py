"""Which questions a worker answers, and what it says to the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Thread

import pytest

import millstream as ms
from millstream.engine.queries import Query
from millstream.errors import QueryError
from millstream.model import TopicPartition
from millstream.plan.internal import TaskId, TaskSpec
from millstream.runtime.held import HeldTask
from millstream.runtime.lifecycle import State
from millstream.runtime.questions import Questions
from millstream.runtime.task_table import TaskTable
from millstream.serde.murmur2 import partition_for

SPECS = [TaskSpec(TaskId(0, number), (TopicPartition("in", number),), {}) for number in range(3)]


@dataclass
class FakeLoop:
    tasks: list[HeldTask] = field(default_factory=list)
    table: TaskTable = field(default_factory=lambda: TaskTable.of("app", "plan", SPECS))
    global_tables: object = None
    tally: object = None
    asked: bool = False


@pytest.fixture
def questions() -> Questions:
    app = ms.App("app")
    app.stream("in", key=str, value=str).group_by_key().count(store="counts")
    app.stream("in", key=str, value=str).group_by_key().reduce(lambda a, b: a + b)
    return Questions(app.topology())


def refused(questions: Questions, query: Query, loop: FakeLoop) -> QueryError:
    """Asked in a thread, as the server does, and served by the loop."""
    found: list[QueryError] = []

    def ask() -> None:
        try:
            questions.ask(query, 10)
        except QueryError as error:
            found.append(error)

    thread = Thread(target=ask)
    thread.start()
    while thread.is_alive():
        questions.serve(loop)
        thread.join(0.001)
    return found[0]


def test_a_key_is_asked_of_the_task_that_it_belongs_to(questions):
    """Q2, Q4: the partition of its bytes; who lacks that task says which it is."""
    for key in ("a", "b", "c", "d"):
        error = refused(questions, Query("counts", "get", key), FakeLoop())
        assert (error.reason, error.task) == ("migrated", f"0_{partition_for(key.encode(), 3)}")
        assert error.retriable


def test_a_task_that_does_not_run_yet_says_so(questions):
    """Q4."""
    held = HeldTask(SPECS[1], TopicPartition("app-tasks", 1), State.RESTORING)
    error = refused(questions, Query("counts", "all", task="0_1"), FakeLoop([held]))
    assert (error.reason, str(error)) == ("not_started", "task 0_1 is restoring; ask again when it runs")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (Query("nothing", "all", task="0_0"), "unknown_store"),
        (Query("KSTREAM-REDUCE-STATE-STORE-0000000004", "all", task="0_0"), "unknown_store"),
        (Query("counts", "all"), "unknown_query"),
        (Query("counts", "get", {"no": "text"}), "unknown_query"),
    ],
)
def test_what_makes_no_sense_is_refused(questions, query, reason):
    """Q1: stores with names that the user gave."""
    error = refused(questions, query, FakeLoop())
    assert (error.reason, error.retriable) == (reason, False)


def test_only_stores_that_the_user_named_are_told(questions):
    """Q1."""
    assert list(questions.stores()) == ["counts"]


def test_a_question_is_asked_again_elsewhere_when_the_worker_stops(questions):
    questions.close()
    with pytest.raises(QueryError, match="has stopped") as raised:
        questions.ask(Query("counts", "get", "a"), 10)
    assert raised.value.retriable


def test_a_loop_that_is_asked_waits_less_for_records(questions):
    loop = FakeLoop()
    questions.serve(loop)
    assert not loop.asked
    refused(questions, Query("counts", "get", "a"), loop)
    assert loop.asked
