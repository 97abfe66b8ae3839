"""The latest of each window at the end of a round (E3, E4), with one child that takes keys in parts and with others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import SerializationError
from millstream.serde import serde_from, time_windowed
from tests.driving import latest
from tests.engine.tasks import Plan, Row, batch_of, rows_of

KEYS = time_windowed(str, 10)


def joined(total: str, value: str) -> str | None:
    return None if value == "null" else total + value


def straight(table: ms.Table[Any, str]) -> None:
    table.to_stream().to("out")


def by_a_mapper(table: ms.Table[Any, str]) -> None:
    table.to_stream().map_values(lambda value: value, value=str).to("out")


def to_two(table: ms.Table[Any, str]) -> None:
    table.to_stream().to("out")
    table.to_stream().to("other")


ways = pytest.mark.parametrize("on", [straight, by_a_mapper, to_two])


class Rounds:
    """Several records in one round, given as `"a x 1"`."""

    def __init__(self, on: Callable[[Any], None], settings: EngineSettings | None = None) -> None:
        app = latest()
        windows = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10, grace=10))
        on(windows.reduce(joined))  # type: ignore[arg-type]
        self.task, self.outbox = Plan(app, {"in": 1, "out": 1, "other": 1}, settings=settings).only_task()
        self.piped = 0

    def pipe(self, *records: str, headers: Any = ()) -> None:
        (source,) = self.task.inputs
        fields = [record.split() for record in records]
        rows = [Row(key.encode(), value.encode(), int(time), headers) for key, value, time in fields]
        self.task.add(batch_of(source, rows, self.piped))
        self.piped += len(rows)
        self.task.process(max_rows=1000, up_to_ms=None, wall_ms=0)

    def out(self) -> list[str]:
        rows = [row for batch in self.outbox.drain() if batch.target.topic == "out" for row in rows_of(batch)]
        return [
            f"{KEYS.decode(row.key or b'')}={'null' if row.value is None else row.value.decode()}@{row.timestamp}"
            + "".join(name for name, _ in row.headers)
            for row in rows
        ]

    def says(self, *records: str) -> list[str]:
        self.pipe(*records)
        self.task.end_round()
        return self.out()


@ways
def test_windows_come_by_their_last_update(on: Any) -> None:  # E3
    one = Rounds(on)
    assert one.says("a x 1", "b y 9", "a z 11", "a q 0") == ["b@0/10=y@9", "a@10/20=z@11", "a@0/10=xq@1"]
    assert one.says("b r 2") == ["b@0/10=yr@9"]
    assert one.says() == []


@ways
def test_a_window_that_came_and_went_is_not_passed_on(on: Any) -> None:  # E4
    one = Rounds(on)
    assert one.says("a x 1", "a null 2") == []
    assert one.says("a x 3") == ["a@0/10=x@3"]
    assert one.says("a null 4", "b y 4") == ["a@0/10=null@4", "b@0/10=y@4"]


@ways
def test_a_window_that_went_and_came_is_one_update(on: Any) -> None:  # E4
    one = Rounds(on)
    assert one.says("a x 5") == ["a@0/10=x@5"]
    assert one.says("a null 6", "b q 6", "a y 7", "a null 7", "a z 8") == ["b@0/10=q@6", "a@0/10=z@8"]
    assert one.says("a y 9", "a null 9") == ["a@0/10=null@9"]


@ways
def test_headers_are_those_of_the_last_record(on: Any) -> None:
    one = Rounds(on)
    one.pipe("a x 1", "b x 1", headers=(("!", b""),))
    assert one.says("a y 2") == ["b@0/10=x@1!", "a@0/10=xy@2"]


def unwritable(value: str) -> bytes:
    if value == "boom":
        raise ValueError("it went boom")
    return value.encode()


WRITTEN = serde_from(unwritable, bytes.decode, of=str)


def with_failures(table: ms.Table[Any, str]) -> None:
    table.to_stream().to("out", value=WRITTEN)


def test_what_comes_after_an_update_that_fails_is_passed_on_later() -> None:
    one = Rounds(with_failures)
    one.pipe("a x 1", "b boom 1", "c z 1")
    for _ in range(2):
        with pytest.raises(SerializationError, match="it went boom"):
            one.task.end_round()
    assert one.out() == ["a@0/10=x@1"]
    assert one.says("c z 2", "b t 3") == ["c@0/10=zz@2", "b@0/10=boomt@3"]


def test_an_update_that_fails_is_skipped_alone() -> None:
    one = Rounds(with_failures, EngineSettings(on_send_error="skip"))
    assert one.says("a x 1", "b boom 1", "c z 1") == ["a@0/10=x@1", "c@0/10=z@1"]
    assert one.task.metrics.dropped == 1
