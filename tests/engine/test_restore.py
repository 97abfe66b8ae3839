"""A task that goes on where another was: stores from changelogs, lateness, what does not fit (F1, F2, X7, Z7)."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest

import millstream as ms
from millstream.engine import Task
from millstream.errors import SerializationError, StateError
from millstream.model import TopicPartition
from tests.driving import every
from tests.engine.tasks import Log, Plan, Row, batch_of, rows_of

IN = TopicPartition("in", 0)


class Life:
    """One task after another, each restored from the changelogs of those before it."""

    def __init__(self, app: ms.App) -> None:
        self.plan = Plan(app, {"in": 1, "out": 1})
        self.log = Log()
        self.outbox = self.plan.outbox()
        self.offset = 0
        self.begin()

    def begin(self) -> None:
        (spec,) = self.plan.resolved.tasks
        self.task: Task = self.plan.task(spec, self.outbox)
        for target, rows in self.log.written.items():
            self.task.restore(target, batch_of(target, rows))
        self.task.start()

    def says(self, *records: tuple[str, bytes | None, int]) -> list[Any]:
        rows = [Row(key.encode(), value, ts) for key, value, ts in records]
        self.task.add(batch_of(IN, rows, self.offset))
        self.offset += len(rows)
        self.task.process(max_rows=100, up_to_ms=None, wall_ms=0)
        self.task.end_round()
        self.log.add(self.task.changelog())
        self.task.committed()
        return [row.value for batch in self.outbox.drain() for row in rows_of(batch)]


def test_an_aggregate_goes_on() -> None:
    app = every()
    app.stream("in", value=str).group_by_key().reduce(lambda a, b: a + b).to_stream().to("out")
    life = Life(app)
    assert life.says(("a", b"x", 10)) == [b"x"]
    life.begin()
    assert life.says(("a", b"y", 5)) == [b"xy"]
    assert [
        (row.key, row.value, row.timestamp) for row in life.log.written[TopicPartition(*next(iter(life.log.written)))]
    ] == [
        (b"a", b"x", 10),
        (b"a", b"xy", 10),
    ]


def test_what_was_late_stays_late() -> None:  # W3, Z7
    app = every()
    windows = ms.tumbling(10, grace=5)
    app.stream("in", value=str).group_by_key().windowed_by(windows).count().to_stream().to("out")
    life = Life(app)
    assert len(life.says(("a", b"x", 3), ("b", b"y", 15))) == 2
    life.begin()
    assert life.says(("a", b"z", 4)) == []
    assert life.task.metrics.late == 1


class Sample(ms.Record):
    at: datetime.datetime
    price: decimal.Decimal | None = None


def test_restored_aggregates_keep_their_types() -> None:
    """The later and the larger of what was restored and what comes is found, and sums go on."""
    app = every()
    grouped = app.stream("in", value=Sample).group_by_key()
    grouped.aggregate(
        first=ms.first("at"),
        last=ms.last("at"),
        most=ms.max("at"),
        total=ms.sum("price"),
        mean=ms.mean("price"),
        n=ms.count(),
    ).to_stream().to("out")
    life, restarted = Life(app), Life(app)
    for at, price in (
        ("2026-01-02", '"1.10"'),
        ("2026-01-03", '"2.20"'),
        ("2026-01-01", "null"),
        ("2026-01-05", '"0.1"'),
    ):
        value = f'{{"at":"{at}T00:00:00Z","price":{price}}}'.encode()
        restarted.begin()
        assert restarted.says(("a", value, 1)) == life.says(("a", value, 1))


def test_a_changelog_of_other_types_is_refused_in_words() -> None:
    app = every()
    app.stream("in", value=str).group_by_key().count(store="c").to_stream().to("out")
    (spec,) = (plan := Plan(app, {"in": 1, "out": 1})).resolved.tasks
    task = plan.task(spec, plan.outbox())
    changelog = TopicPartition("app-c-changelog", 0)
    with pytest.raises(
        StateError, match=r"task 0_0: app-c-changelog-0 does not fit the store 'c': .*give the store another"
    ):
        task.restore(changelog, batch_of(changelog, [Row(b"a", b"text", 1)]))


def test_a_store_that_cannot_be_written_is_told_in_words() -> None:
    app = every()
    grouped = app.stream("in", value=str).group_by_key()
    grouped.aggregate(initializer=object, aggregator=lambda v, total: total, store="c").to_stream().foreach(
        lambda v: None
    )
    life = Life(app)
    with pytest.raises(
        SerializationError, match=r"task 0_0: the store 'c' holds what cannot be written: .*; declare the types"
    ):
        life.says(("a", b"x", 1))
