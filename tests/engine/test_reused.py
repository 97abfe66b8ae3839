"""A table's own topic as the changelog of its store: restored up to what is committed (K2, X7)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.model import TopicPartition
from millstream.plan.nodes import StoreType
from tests.state.disks import MemoryTaskDisk
from tests.tasks import Tasks, Written


def tasks(*, history: str | None = None, store: StoreType = "memory", **settings: Any) -> Tasks:
    app = ms.App("app", emit="every", optimize="all")
    table = app.table("rows", value=int, store="rows", history=history)
    app.stream("in", value=str).join(table, lambda v, row: row, result=int).to("out")
    return Tasks(app.topology(), {"rows": 1, "in": 1, "out": 1}, EngineSettings(**settings), store=store)


def put(made: Tasks, topic: str, key: str | None, value: bytes | None, timestamp: int) -> None:
    made.put(topic, 0, (None if key is None else key.encode(), value, timestamp))


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def crash(made: Tasks) -> None:
    for id_ in made.specs:
        made.crash(id_)


def commit(made: Tasks) -> None:
    for id_ in made.specs:
        made.commit(id_)


def answers(made: Tasks) -> list[int]:
    return [int.from_bytes(row.value or b"", "big") for row in made.run().read("out")]


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
@pytest.mark.parametrize("history", [None, "1h"])
def test_rows_come_from_the_topic(history: str | None, store: StoreType) -> None:  # X7
    made = tasks(history=history, store=store)
    put(made, "rows", "a", number(1), 10)
    put(made, "rows", "b", number(5), 10)
    put(made, "rows", "b", None, 11)
    made.run()
    commit(made)
    assert not [target for target in made.topics if target.topic.endswith("-changelog")]
    crash(made)
    put(made, "in", "a", b"x", 20)
    put(made, "in", "b", b"x", 20)
    assert answers(made) == [1]


def test_what_is_not_committed_is_processed_again_not_restored() -> None:  # X7
    made = tasks()
    put(made, "rows", "a", number(1), 10)
    made.run()
    commit(made)
    put(made, "rows", "a", number(2), 30)
    crash(made)
    put(made, "in", "a", b"x", 20)
    assert answers(made) == [1], "at 20 the row of 30 wasn't there"


def test_the_timestamp_is_the_records() -> None:  # X7, F1
    made = tasks()
    put(made, "rows", "a", number(1), 10)
    made.run()
    commit(made)
    crash(made)
    ((_, task),) = made._tasks.items()
    assert task.store("rows").get("a") == [1, 10]  # type: ignore[union-attr]


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_what_was_passed_over_is_passed_over_again(store: StoreType) -> None:  # X14, K1
    made = tasks(on_decode_error="skip", on_bad_time="skip", store=store)
    put(made, "rows", "a", number(1), 10)
    put(made, "rows", "a", b"no number", 11)
    put(made, "rows", None, number(3), 12)
    made.topics[TopicPartition("rows", 0)].append(Written(b"a", number(4), -1))
    put(made, "rows", "b", number(5), 13)
    made.run()
    commit(made)
    if store == "rocksdb":  # on a machine that has no files of it
        made.disks = {id_: MemoryTaskDisk(disk.names) for id_, disk in made.disks.items()}
    crash(made)
    put(made, "in", "a", b"x", 20)
    put(made, "in", "b", b"x", 20)
    assert answers(made) == [1, 5]


def test_local_files_have_the_topic_up_to_what_is_committed() -> None:  # X7
    made = tasks(store="rocksdb")
    put(made, "rows", "a", number(1), 10)
    put(made, "rows", "b", number(2), 10)
    made.run()
    commit(made)
    ((_, disk),) = made.disks.items()
    assert disk.offsets() == {"rows": 2}
    assert disk.store("rows").rows == {b"a": number(10) + number(1), b"b": number(10) + number(2)}
