"""Processors that fail: in init, process, a punctuation, close (X15, X18, P1)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import ProcessingError
from tests.driving import Driven, every
from tests.engine.test_processors import Told, forwarding

SKIP = EngineSettings(on_error="skip", dead_letters="dlq")
COUNTS = ms.key_value_store("counts", value=int)


class Noted:
    """Tells when it begins and ends; may fail at either."""

    log: list[str] = []

    def __init__(self, name: str, fails: str = "") -> None:
        self.name, self.fails = name, fails

    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context
        self._do("init")

    def process(self, record: ms.Message) -> None:
        self.context.forward(record)

    def close(self) -> None:
        self._do("close")

    def _do(self, what: str) -> None:
        self.log.append(f"{what} {self.name}")
        if what == self.fails:
            raise OSError("disk is gone")


def chain(*processors: Noted) -> ms.App:
    Noted.log.clear()
    app = every()
    stream: ms.Stream[Any, Any] = app.stream("in", value=str)
    for each in processors:
        stream = stream.process(lambda each=each: each, value=str)  # type: ignore[misc]
    stream.to("out")
    return app


def test_processors_begin_and_end_from_the_source_on() -> None:  # P7
    run = Driven(chain(Noted("first"), Noted("second"), Noted("third")))
    assert run.says("in a x 1") == ["a=x@1"]
    run.driver.close()
    steps = [f"{what} {name}" for what in ("init", "close") for name in ("first", "second", "third")]
    assert Noted.log == steps


def test_a_failed_init_stops_whatever_the_handler_says() -> None:  # X15
    with pytest.raises(ProcessingError, match=r"task 0_0: init of process at .*: OSError: disk is gone"):
        Driven(chain(Noted("first", "init"), Noted("second")), SKIP)
    assert Noted.log == ["init first"]


def test_a_failed_close_is_raised_when_all_are_closed() -> None:
    run = Driven(chain(Noted("first", "close"), Noted("second", "close"), Noted("third")))
    with pytest.raises(ProcessingError, match=r"task 0_0: close of process at .* failed: OSError: disk is gone"):
        run.driver.close()
    assert Noted.log[3:] == ["close first", "close second", "close third"]


def failing(context: Any, record: ms.Message) -> None:
    """Writes and forwards, and then fails."""
    counts = context.get_state_store("counts")
    counts.put(record.key, (counts.get(record.key) or 0) + 1)
    context.forward(record)
    if record.value == "bad":
        raise ValueError("no")


def failing_program() -> ms.App:
    app = every()
    stream = app.stream("in", value=str)
    stream.process(lambda: Told(failing), stores=[COUNTS], value=str).to("out")
    stream.map_values(lambda v: v + "!", value=str).to("sibling")
    return app


def test_a_failed_record_is_skipped_below_the_processor() -> None:  # X15, X19
    run = Driven(failing_program(), SKIP)
    run.pipe("in a x 1", "in a bad 2", "in a y 3")
    assert run.out() == ["a=x@1", "a=bad@2", "a=y@3"], "what was forwarded before has gone on"
    assert run.out("sibling") == ["a=x!@1", "a=bad!@2", "a=y!@3"], "later siblings still run"
    assert run.driver.store("counts").get("a") == 3, "what was written stays"
    ((_, value, _, headers),) = run.driver.read_bytes("dlq")
    assert value == b"bad"
    assert dict(headers)["__streams.errors.message"] == b"no"


def test_a_failed_record_stops_the_task() -> None:  # X15, X18
    run = Driven(failing_program())
    message = r"task 0_0, in-0 offset 1: process at .*test_processor_failures.py:\d+ failed: ValueError: no"
    with pytest.raises(ProcessingError, match=message):
        run.pipe("in a x 1", "in a bad 2")
    assert run.out("sibling") == ["a=x!@1"]


@pytest.mark.parametrize("kind", ["stream-time", "wall-clock"])
def test_a_failed_punctuation(kind: Any) -> None:  # X15
    def init(context: Any) -> None:
        def fail(now: int) -> None:
            context.forward(ms.Message("now", str(now), now))
            raise ValueError("late")

        context.schedule(10, kind, fail)

    def program() -> ms.App:
        app = every()
        app.stream("in", value=str).process(lambda: Told(forwarding, init), value=str).to("out")
        return app

    def go(run: Driven) -> list[str]:
        run.pipe("in a x 15")
        run.driver.advance_wall_clock(10)
        run.pipe("in a y 25")
        run.driver.advance_wall_clock(10)
        return [record for record in run.out() if record.startswith("now")]

    called = [15, 25] if kind == "stream-time" else [10, 20]
    assert go(Driven(program(), SKIP)) == [f"now={now}@{now}" for now in called], "the next one comes all the same"
    with pytest.raises(ProcessingError, match=r"task 0_0, punctuation of KSTREAM-PROCESSOR-\d+: process at .*late"):
        go(Driven(program()))


def test_an_async_callback_is_refused() -> None:
    async def later(now: int) -> None: ...

    app = every()
    init = lambda context: context.schedule(10, "wall-clock", later)  # noqa: E731
    app.stream("in", value=str).process(lambda: Told(forwarding, init), value=str).to("out")
    with pytest.raises(ms.MillstreamError, match="a punctuation is a plain function, not an async one"):
        Driven(app)


def test_an_async_init_needs_an_async_process() -> None:
    class Mixed:
        async def init(self, context: ms.ProcessorContext) -> None: ...

        def process(self, record: ms.Message) -> None: ...

    app = every()
    app.stream("in", value=str).process(Mixed, value=str).to("out")
    with pytest.raises(ProcessingError, match="init is async, and process is not"):
        Driven(app)


# --- records


def test_records_cannot_be_changed() -> None:  # P1
    record = ms.Message("k", "v", 1, (("a", b"1"),))
    for name in ("key", "value", "timestamp", "headers"):
        with pytest.raises(AttributeError):
            setattr(record, name, None)
    with pytest.raises(ValueError, match="must not be negative"):
        record.with_timestamp(-1)


def test_headers_are_read_added_replaced_and_taken_away() -> None:  # P1, T8
    def process(context: Any, record: ms.Message) -> None:
        count = int(record.header("count") or b"0")
        replaced = record.without_header("count").with_header("count", str(count + 1).encode())
        context.forward(replaced.with_header("tag", None))

    app = every()
    app.stream("in", value=str).process(lambda: Told(process), value=str).to("out")
    run = Driven(app)
    run.driver.pipe("in", "v", key="k", timestamp=1, headers=(("count", b"1"), ("x", b"y"), ("count", b"5")))
    run.driver.pipe("in", "v", key="k", timestamp=2)
    assert [record.headers for record in run.driver.read("out")] == [
        (("x", b"y"), ("count", b"6"), ("tag", None)),
        (("count", b"1"), ("tag", None)),
    ]


def test_headers_of_records_whose_key_stays() -> None:  # O3
    def process(context: Any, record: ms.Message) -> None:
        context.forward(record.with_header("a", b"1").without_header("b"))

    app = every()
    app.stream("in", value=str).process_values(lambda: Told(process), value=str).to("out")
    run = Driven(app)
    run.driver.pipe("in", "v", key="k", timestamp=1, headers=(("b", b"2"),))
    assert [record.headers for record in run.driver.read("out")] == [(("a", b"1"),)]
