"""Asynchronous operators: several calls at a time, results in order, each at its own place and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import millstream as ms
from millstream.errors import MillstreamError
from tests.driving import Driven, every
from tests.engine.async_programs import mapped, only_task


class Rendezvous:
    """Calls that end only when so many of them are under way; the last to begin ends first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.waiting: list[asyncio.Event] = []
        self.under_way = self.most = 0
        self.ended: list[str] = []

    async def __call__(self, value: str) -> str:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        me = asyncio.Event()
        self.waiting.append(me)
        if len(self.waiting) == self.size:
            self.waiting.pop().set()
        await me.wait()
        if self.waiting:
            self.waiting.pop().set()
        self.ended.append(value)
        self.under_way -= 1
        return value.upper()


def test_calls_are_under_way_together_and_results_keep_the_order() -> None:
    calls = Rendezvous(5)
    task, round_of = only_task(mapped(calls))
    assert round_of(*"abcde") == list("ABCDE")
    assert calls.ended == list("edcba"), "the last call ended first"
    assert calls.most == 5
    task.close()


def test_no_more_calls_than_allowed_are_under_way() -> None:
    calls = Rendezvous(3)
    task, round_of = only_task(mapped(calls, concurrency=3))
    assert round_of(*"abcdefghi") == list("ABCDEFGHI")
    assert calls.most == 3
    task.close()


def test_a_mapper_may_see_the_key() -> None:
    async def with_key(key: str, value: str) -> str:
        return key + value

    assert Driven(mapped(with_key)).says("in k a 7", "in q b 3") == ["k=ka@7", "q=qb@3"]


def test_each_result_has_its_own_time_place_and_headers() -> None:  # P1, T8
    async def late(value: str) -> str:
        for _ in range(3 - len(value)):
            await asyncio.sleep(0)
        return value

    class Where:
        def init(self, context: ms.ProcessorContext) -> None:
            self.context = context

        def process(self, record: ms.Message) -> None:
            at = self.context.record_metadata
            told = f"{record.value} {record.timestamp} {at.offset} {self.context.current_stream_time_ms()}"
            self.context.forward(record.with_value(told))

    app = every()
    app.stream("in", value=str).map_values_async(late).process(Where, value=str).to("out")
    task, round_of = only_task(app)
    assert round_of("a", "bbb", "cc") == ["a 0 0 0", "bbb 1 1 1", "cc 2 2 2"]
    task.close()

    run = Driven(mapped(late))
    run.driver.pipe("in", "a", key="k", timestamp=5, headers=(("h", b"1"),))
    assert run.driver.read("out")[0].headers == (("h", b"1"),)


class Asking:
    """Opens something, asks it about each record, closes it."""

    calls: list[str] = []

    async def init(self, context: ms.ProcessorContext) -> None:
        await asyncio.sleep(0)
        self.calls = []
        self.log = type(self).calls
        self.log.append("init")
        self.context = context

    async def process(self, record: ms.Message) -> None:
        await asyncio.sleep(0)
        self.log.append(record.value)
        self.context.forward(record.with_value(record.value + "1"))
        self.context.forward(record.with_value(record.value + "2"), "second")

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.log.append("close")


def test_an_async_class_is_opened_and_closed_on_the_same_loop() -> None:  # P2, P7
    Asking.calls.clear()
    app = every()
    made = app.stream("in", value=str).process(Asking, value=str, calls=ms.async_calls(concurrency=2))
    made.map_values(lambda v: v + "-first", value=str, name="first").to("out")
    made.map_values(lambda v: v + "-second", value=str, name="second").to("out")
    run = Driven(app)
    assert run.says("in k a 1") == ["k=a1-first@1", "k=a1-second@1", "k=a2-second@1"]
    run.driver.close()
    run.driver.close()
    assert Asking.calls == ["init", "a", "close"]


def test_an_async_generator_is_a_processor() -> None:
    async def twice(record: ms.Message) -> AsyncIterator[ms.Message]:
        yield record
        await asyncio.sleep(0)
        yield record.with_key("q").with_timestamp(9)

    app = every()
    app.stream("in", value=str).process(twice, value=str).to("out")
    with Driven(app).driver as driver:
        driver.pipe("in", "a", key="k", timestamp=1)
        assert [(r.key, r.value, r.timestamp) for r in driver.read("out")] == [("k", "a", 1), ("q", "a", 9)]


def test_an_async_process_may_yield() -> None:
    class Twice:
        async def init(self, context: ms.ProcessorContext) -> None:
            self.suffix = "!"

        async def process(self, record: ms.Message) -> AsyncIterator[ms.Message]:
            yield record
            await asyncio.sleep(0)
            yield record.with_value(record.value + self.suffix)

    app = every()
    app.stream("in", value=str).process_values(Twice, calls=ms.async_calls(), value=str).to("out")
    assert Driven(app).says("in k a 1") == ["k=a@1", "k=a!@1"]


def test_the_key_stays_in_process_values() -> None:  # O3
    async def another(record: ms.Message) -> AsyncIterator[ms.Message]:
        yield ms.Message("q", record.value, record.timestamp)

    app = every()
    app.stream("in", value=str).process_values(another, value=str).to("out")
    with pytest.raises(MillstreamError, match="must keep the key"):
        Driven(app).pipe("in k a 1")


class Gathering:
    """Forwards from tasks of its own, some of which go on when they shouldn't."""

    refused: list[MillstreamError] = []

    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context

    async def part(self, record: ms.Message, number: int) -> None:
        for _ in range(3 - number):
            await asyncio.sleep(0)
        self.context.forward(record.with_value(f"{record.value}{number}"))

    async def later(self, record: ms.Message) -> None:
        try:
            await self.part(record, 2)
        except MillstreamError as error:
            self.refused.append(error)

    async def process(self, record: ms.Message) -> None:
        await asyncio.gather(*(self.part(record, number) for number in range(3)))
        self.task = asyncio.create_task(self.later(record))


def test_forward_within_the_tasks_of_a_call_and_not_after_it() -> None:
    app = every()
    app.stream("in", value=str).process(Gathering, value=str).to("out")
    assert Driven(app).says("in k a 1", "in k b 2") == [
        f"k={v}@{t}" for v, t in (("a2", 1), ("a1", 1), ("a0", 1), ("b2", 2), ("b1", 2), ("b0", 2))
    ]
    assert "process had returned before forward was called" in str(Gathering.refused[0])


def test_records_are_told_apart_in_metadata() -> None:  # P1
    class Where:
        def init(self, context: ms.ProcessorContext) -> None:
            self.context = context

        async def process(self, record: ms.Message) -> None:
            await asyncio.sleep(0)
            at = self.context.record_metadata
            told = f"{record.value} {at.topic}-{at.partition} {at.offset} {self.context.current_stream_time_ms()}"
            self.context.forward(record.with_value(told))

    app = every()
    app.stream("in", value=str).process(Where, value=str).to("out")
    task, round_of = only_task(app)
    assert round_of("a", "b") == ["a in-0 0 0", "b in-0 1 1"]
    task.close()
