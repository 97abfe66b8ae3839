"""Asynchronous calls that fail, take too long, are made again or given up (X15, X18, X19)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import ProcessingError, TopologyError
from tests.driving import Driven, every
from tests.engine.async_programs import STRINGS, failing, mapped, only_task
from tests.engine.tasks import Plan, Row, batch_of


def test_a_failure_is_that_of_its_record() -> None:  # X15, X19
    app = mapped(failing)
    task, round_of = only_task(app, on_error="skip", dead_letters="dlq")
    outbox = task._parts.outbox
    assert round_of("a", "bad", "c") == ["a", "c"]
    round_of("bad2")
    task.close()

    run = Driven(mapped(failing), EngineSettings(on_error="skip", dead_letters="dlq"))
    run.pipe("in k a 1", "in k bad 2", "in k c 3")
    ((key, value, timestamp, headers),) = run.driver.read_bytes("dlq")
    assert (key, value, timestamp) == (b"k", b"bad", 2)
    assert dict(headers)["__streams.errors.offset"] == b"1"
    assert dict(headers)["__streams.errors.message"] == b"no such thing"
    assert len(outbox) == 0


def test_nothing_is_committed_past_a_failure() -> None:  # X15, X18
    task, round_of = only_task(mapped(failing))
    assert round_of("a") == ["a"]
    message = r"task 0_0, in-0 offset 2: map_values_async at .*async_programs.py:\d+ failed: ValueError: no such thing"
    with pytest.raises(ProcessingError, match=message):
        round_of("b", "bad", "c")
    with pytest.raises(ProcessingError, match="no such thing"):
        task.end_round()  # what a commit does first
    task.close()


def test_a_driver_goes_on_after_a_failure() -> None:  # D7
    run = Driven(mapped(failing))
    with pytest.raises(ProcessingError):
        run.pipe("in k bad 1")
    assert run.says("in k a 2") == ["k=a@2"]


def test_a_call_that_takes_too_long_has_failed() -> None:
    async def endless(value: str) -> str:
        return value if value == "a" else await asyncio.Event().wait()

    run = Driven(mapped(endless, timeout="1ms"), EngineSettings(on_error="skip"))
    assert run.says("in k a 1", "in k b 2", "in k a 3") == ["k=a@1", "k=a@3"]
    with pytest.raises(ProcessingError, match=r"TimeoutError: the call was not done within 1 ms"):
        Driven(mapped(endless, timeout="1ms")).pipe("in k b 1")


def test_a_call_that_gives_itself_up_has_failed() -> None:
    async def cancelled(value: str) -> str:
        raise asyncio.CancelledError

    with pytest.raises(ProcessingError, match="cancelled by itself"):
        Driven(mapped(cancelled)).pipe("in k b 1")


def test_failed_calls_are_made_again() -> None:
    attempts: list[str] = []

    class Flaky:
        def init(self, context: ms.ProcessorContext) -> None:
            self.context = context

        async def process(self, record: ms.Message) -> None:
            attempts.append(record.value)
            self.context.forward(record.with_value(f"{record.value}{attempts.count(record.value)}"))
            if attempts.count(record.value) < 3:
                raise ConnectionError("not now")

    def app(retries: int) -> ms.App:
        app = every()
        calls = ms.async_calls(retries=retries, backoff=0)
        app.stream("in", value=str).process_values(Flaky, calls=calls, value=str).to("out")
        return app

    assert Driven(app(2)).says("in k a 1") == ["k=a3@1"], "what failed attempts forwarded is forgotten"
    attempts.clear()
    with pytest.raises(ProcessingError, match="not now"):
        Driven(app(1)).pipe("in k a 1")
    assert attempts == ["a", "a"]


def test_what_is_no_coroutine_is_refused() -> None:
    with pytest.raises(ProcessingError, match=r"must be an async function, but it gave str"):
        Driven(mapped(lambda v: v)).pipe("in k a 1")


def test_a_failed_init_and_close_are_told() -> None:
    class Closed:
        async def init(self, context: ms.ProcessorContext) -> None:
            raise ConnectionError("nobody there")

        async def process(self, record: ms.Message) -> None: ...

        async def close(self) -> None:
            raise ConnectionError("gone")

    app = every()
    app.stream("in", value=str).process(Closed, value=str).to("out")
    with pytest.raises(ProcessingError, match=r"task 0_0: init of process at .* failed: ConnectionError: nobody there"):
        Driven(app)

    class ClosedLate(Closed):
        async def init(self, context: ms.ProcessorContext) -> None: ...

    app = every()
    app.stream("in", value=str).process(ClosedLate, value=str).to("out")
    run = Driven(app)
    with pytest.raises(ProcessingError, match=r"task 0_0: close of process at .* failed: ConnectionError: gone"):
        run.driver.close()


def test_calls_under_way_are_given_up_on_close() -> None:
    given_up: list[str] = []

    async def endless(value: str) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.append(value)
            raise
        return value

    plan = Plan(mapped(endless), STRINGS)
    task, _outbox = plan.only_task()
    (source,) = plan.resolved.tasks[0].inputs
    task.add(batch_of(source, [Row(b"k", b"a", 1), Row(b"k", b"b", 2)]))
    task.process(max_rows=10, up_to_ms=None, wall_ms=0)
    task._parts.loop.run(asyncio.sleep(0))  # so that the calls have begun
    task.close()
    assert given_up == ["a", "b"]


def test_refused_when_it_is_written() -> None:
    stream = every().stream("in", value=str)
    store = ms.key_value_store("s", value=int)

    class Answering:
        async def process(self, record: ms.Message) -> None: ...

    class Plain:
        def process(self, record: ms.Message) -> None: ...

    async def nothing(record: ms.Message) -> None: ...

    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: stream.process(Answering, stores=[store]), "process at .*an asynchronous processor has no stores"),
        (lambda: stream.process(Plain, calls=ms.async_calls()), "process at .*calls= is for asynchronous processors"),
        (lambda: stream.process(Answering, calls=5), r"process at .*calls= takes ms.async_calls\(\.\.\.\), got 5"),  # type: ignore[call-overload]
        (lambda: stream.process(nothing), "process at .*is async and has to yield what is passed on"),  # type: ignore[call-overload]
        (lambda: ms.async_calls(concurrency=0), "async_calls at .*concurrency must be 1 or more"),
        (lambda: ms.async_calls(timeout=0), "async_calls at .*timeout must be more than 0"),
        (lambda: ms.async_calls(retries=-1), "async_calls at .*retries and backoff must not be negative"),
        (lambda: stream.map_values_async(failing, timeout="soon"), "map_values_async at .*'soon' is not a duration"),
    ]
    for write, message in refused:
        with pytest.raises(TopologyError, match=message):
            write()


def test_a_function_that_makes_an_async_processor_with_stores_is_refused_when_it_is_made() -> None:
    class Answering:
        async def process(self, record: ms.Message) -> None: ...

    app = every()
    store = ms.key_value_store("s", value=int)
    app.stream("in", value=str).process(lambda: Answering(), stores=[store], value=str).to("out")
    with pytest.raises(TopologyError, match="an asynchronous processor has no stores"):
        Driven(app)


def test_a_program_may_be_driven_from_within_a_loop() -> None:
    """A notebook's cells run in one."""

    async def cell() -> list[str]:
        with Driven(mapped(failing)).driver as driver:
            driver.pipe("in", "a", key="k", timestamp=1)
            return [record.value for record in driver.read("out")]

    assert asyncio.run(cell()) == ["a"]
