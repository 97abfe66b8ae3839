"""Records that fail: handlers, dead letters, and where the task stands afterwards (X4, X14-X19)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings, FailedRecord, Outbox, Task
from millstream.errors import DeserializationError, MillstreamError, ProcessingError, SerializationError
from millstream.model import Batch, TopicPartition
from tests.driving import Driven, every, latest
from tests.engine.tasks import Plan, Row, batch_of, rows_of

SKIP: dict[str, Any] = {"on_decode_error": "skip", "on_error": "skip", "on_send_error": "skip"}
SOURCE = TopicPartition("in", 0)


def boom(value: str) -> str:
    if value == "boom":
        raise ValueError("it went boom")
    return value


def booming(**settings: Any) -> Driven:
    app = every()
    app.stream("in", value=str).map_values(boom).to("out")
    return Driven(app, EngineSettings(**settings))


def headers_of(run: Driven) -> dict[str, str]:
    ((_, _, _, headers),) = run.driver.read_bytes("dlq")
    return {name: (text or b"").decode() for name, text in headers}


def test_skip_with_dead_letters() -> None:  # X15, X19
    run = booming(**SKIP, dead_letters="dlq")
    assert run.says("in a x 1", "in a boom 2", "in a y 3") == ["a=x@1", "a=y@3"]
    (letter,) = run.driver.read_bytes("dlq")
    assert letter[:3] == (b"a", b"boom", 2)
    headers = {name: (text or b"").decode() for name, text in letter[3]}
    assert headers.pop("__streams.errors.stacktrace").startswith("Traceback")
    assert headers == {
        "__streams.errors.exception": "builtins.ValueError",
        "__streams.errors.message": "it went boom",
        "__streams.errors.topic": "in",
        "__streams.errors.partition": "0",
        "__streams.errors.offset": "1",
    }
    assert run.driver.metrics.dead_letters == 1


def test_fail_tells_place_and_line_and_sends_the_dead_letter() -> None:  # X15, X19
    run = booming(dead_letters="dlq")
    message = r"task 0_0, in-0 offset 1: map_values at .*test_failures.py:\d+ failed: ValueError: it went boom"
    with pytest.raises(ProcessingError, match=message) as caught:
        run.pipe("in a x 1", "in a boom 2")
    assert isinstance(caught.value.__cause__, ValueError)
    assert headers_of(run)["__streams.errors.offset"] == "1"
    assert run.out() == ["a=x@1"]


def test_the_driver_stays_usable() -> None:  # D7
    run = booming()
    with pytest.raises(ProcessingError):
        run.pipe("in a boom 2")
    assert run.says("in a x 3") == ["a=x@3"]


def test_a_driver_with_two_inputs_stays_usable() -> None:  # D7
    app = every()
    app.stream("in", value=str).map_values(boom).merge(app.stream("other", value=str)).to("out")
    run = Driven(app)
    run.pipe("other a x 1")
    with pytest.raises(ProcessingError):
        run.pipe("in a boom 2")
    assert run.says("in a x 3", "other b y 4") == ["a=x@1", "a=x@3", "b=y@4"]


def test_a_handler_decides_for_each_record() -> None:
    seen: list[FailedRecord] = []

    def handler(failed: FailedRecord) -> Any:
        seen.append(failed)
        return "skip" if failed.offset == 0 else "fail"

    run = booming(on_error=handler)
    with pytest.raises(ProcessingError, match="offset 1"):
        run.pipe("in a boom 1", "in b boom 2")
    (first, second) = seen
    assert (first.source, first.offset, first.timestamp, first.key, first.value) == (SOURCE, 0, 1, b"a", b"boom")
    assert (second.offset, str(second.error)) == (1, "it went boom")


def test_a_handler_that_answers_nonsense() -> None:
    run = booming(on_error=lambda _: None)
    with pytest.raises(MillstreamError, match='must return "fail" or "skip", got None'):
        run.pipe("in a boom 1")


def test_later_siblings_still_run() -> None:  # X15
    app = every()
    stream = app.stream("in", value=str)
    stream.map_values(boom).to("first")
    stream.map_values(lambda v: v + "!", value=str).to("out")
    run = Driven(app, EngineSettings(on_error="skip"))
    assert run.says("in a boom 1") == ["a=boom!@1"]
    assert run.out("first") == []


def test_state_written_before_the_failure_stays() -> None:  # X15
    app = every()
    counted = app.stream("in", value=str).group_by_key().count(store="c").to_stream()
    counted.map_values(lambda k, n: boom("boom") if n == 1 else str(n), value=str).to("out")
    run = Driven(app, EngineSettings(on_error="skip"))
    assert run.says("in a x 1", "in a y 2") == ["a=2@2"]


def test_a_failing_aggregator_leaves_the_aggregate() -> None:
    app = every()
    app.stream("in", value=str).group_by_key().reduce(lambda a, b: a + boom(b)).to_stream().to("out")
    run = Driven(app, EngineSettings(on_error="skip"))
    assert run.says("in a x 1", "in a boom 2", "in a y 3") == ["a=x@1", "a=xy@3"]


def test_one_dead_letter_for_a_record_of_several_windows() -> None:
    app = every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(ms.hopping(10, advance=2))
    grouped.aggregate(initializer=str, aggregator=lambda v, total: total + boom(v), value=str).to_stream().to("out")
    run = Driven(app, EngineSettings(on_error="skip", dead_letters="dlq"))
    run.pipe("in a boom 20")
    assert len(run.driver.read_bytes("dlq")) == 1


def test_a_record_that_fails_behind_a_repartition_is_dead_with_its_bytes_there() -> None:  # X19
    app = every()
    app.stream("in", value=str).select_key(lambda v: "new").repartition(name="r").map_values(boom).to("out")
    run = Driven(app, EngineSettings(**SKIP, dead_letters="dlq"))
    run.pipe("in a boom 1")
    (letter,) = run.driver.read_bytes("dlq")
    assert letter[:3] == (b"new", b"boom", 1)
    assert dict(letter[3])["__streams.errors.topic"] == b"app-r-repartition"


def test_the_headers_of_the_record_stay_in_the_dead_letter() -> None:  # X19
    run = booming(**SKIP, dead_letters="dlq")
    run.driver.pipe("in", "boom", key="a", headers=(("h", b"1"),))
    assert headers_of(run)["h"] == "1"


def test_a_failing_processor_and_punctuation() -> None:  # X15, P5
    class Failing:
        def init(self, context: ms.ProcessorContext) -> None:
            context.schedule(10, "stream-time", lambda now: boom("boom"))
            self.context = context

        def process(self, record: ms.Message) -> None:
            self.context.forward(record.with_value(boom(record.value)))

    app = every()
    app.stream("in", value=str).process(Failing, value=str).to("out")
    run = Driven(app, EngineSettings(on_error="skip", dead_letters="dlq"))
    assert run.says("in a x 1", "in a boom 2", "in a y 30") == ["a=x@1", "a=y@30"]
    assert len(run.driver.read_bytes("dlq")) == 1, "a punctuation has no source record"
    with pytest.raises(ProcessingError, match=r"punctuation of KSTREAM-PROCESSOR.*it went boom"):
        Driven(app).pipe("in a x 1")


def test_an_update_that_is_passed_on_at_the_end_of_a_round() -> None:
    app = latest()
    app.stream("in", value=str).group_by_key().count().map_values(lambda n: n // 0).to_stream().to("out")
    with pytest.raises(ProcessingError, match=r"KTABLE-MAPVALUES-\d+, an update that was held back: map_values"):
        Driven(app).pipe("in a x 1")


def test_a_failure_below_a_processor_is_not_the_processors() -> None:
    class Forwarding:
        def init(self, context: ms.ProcessorContext) -> None:
            self.context = context

        def process(self, record: ms.Message) -> None:
            self.context.forward(record)

    app = every()
    app.stream("in", value=str).process(Forwarding, value=str).map_values(boom).to("out")
    with pytest.raises(ProcessingError, match=r"map_values at .* failed"):
        Driven(app).pipe("in a boom 1")


# --- bytes


class Report(ms.Record):
    n: int


def reading(**settings: Any) -> Driven:
    app = every()
    app.stream("in", value=Report).map_values(lambda v: v.n, value=int).to("out")
    return Driven(app, EngineSettings(**settings))


def test_undecodable_records_are_skipped_and_dead() -> None:  # X14, X19
    run = reading(**SKIP, dead_letters="dlq")
    for value in (b'{"n":1}', b"{", b'{"m":1}', b'{"n":"x"}', b"\xff", b'{"n":2}'):
        run.driver.pipe_bytes("in", value, key=b"k", timestamp=7)
    assert run.out() == ["k=1@7", "k=2@7"]
    letters = run.driver.read_bytes("dlq")
    assert [letter[1] for letter in letters] == [b"{", b'{"m":1}', b'{"n":"x"}', b"\xff"]
    assert [dict(letter[3])["__streams.errors.offset"] for letter in letters] == [b"1", b"2", b"3", b"4"]
    assert dict(letters[1][3])["__streams.errors.message"] == b"Object missing required field `n`"
    assert run.driver.metrics.dropped == 4


def test_undecodable_keys_too() -> None:  # X14
    app = every()
    app.stream("in", value=str, key=int).to("out")
    run = Driven(app, EngineSettings(**SKIP, dead_letters="dlq"))
    run.driver.pipe_bytes("in", b"v", key=b"short")
    assert run.driver.read_bytes("dlq")[0][:2] == (b"short", b"v")


def test_undecodable_records_stop_the_task_and_say_what_to_do() -> None:  # X14
    message = r'in-0 offset 0: cannot decode the record: .*; mend the producer, or set on_decode_error="skip"'
    with pytest.raises(DeserializationError, match=message):
        reading().driver.pipe_bytes("in", b"{", key=b"k")


def test_unencodable_results() -> None:  # X16, Z8
    app = every()
    app.stream("in", value=str).map_values(len, value=str).to("out")
    run = Driven(app, EngineSettings(on_send_error="skip", dead_letters="dlq"))
    assert run.says("in a xx 1") == []
    assert headers_of(run)["__streams.errors.message"] == "expected a string, got int"
    message = r"in-0 offset 0: cannot encode a record for topic 'out': expected a string, got int; say what"
    with pytest.raises(SerializationError, match=message):
        Driven(app).pipe("in a xx 1")


def test_keys_of_another_type_than_declared() -> None:
    app = every()
    app.stream("in", value=str).select_key(len).to("out")
    assert Driven(app).driver is not None
    app = every()
    app.stream("in", value=str).group_by(lambda v: len(v)).count().to_stream().to("out")
    with pytest.raises(SerializationError, match=r"topic 'app-.*-repartition': expected a string, got int; say what"):
        Driven(app).pipe("in a xx 1")


def test_a_broken_record_of_a_global_table() -> None:  # X14, K18
    app = every()
    table = app.global_table("G", value=Report)
    app.stream("in", value=str).join(table, lambda v, row: row.n, key=lambda v: v, result=int).to("out")
    run = Driven(app, EngineSettings(**SKIP, dead_letters="dlq"))
    for value in (b'{"n":1}', b"{", b'{"n":"x"}'):
        run.driver.pipe_bytes("G", value, key=b"k")
    assert run.says("in a k 1") == ["a=1@1"]
    letters = run.driver.read_bytes("dlq")
    assert [dict(letter[3])["__streams.errors.offset"] for letter in letters] == [b"1", b"2"]
    with pytest.raises(DeserializationError, match=r"G-0 offset 0: cannot decode"):
        Driven(app).driver.pipe_bytes("G", b"{", key=b"k")


# --- where the task stands


def task_of(app: ms.App, *values: str, **settings: Any) -> tuple[Task, Outbox]:
    plan = Plan(app, {"in": 1, "out": 1, "dlq": 1}, settings=EngineSettings(**settings))
    task, outbox = plan.only_task()
    task.add(batch_of(SOURCE, [Row(b"k", value.encode(), at) for at, value in enumerate(values)]))
    task.caught_up(SOURCE, len(values))
    return task, outbox


def written(outbox: Outbox) -> list[bytes | None]:
    return [row.value for batch in outbox.drain() if batch.target.topic == "out" for row in rows_of(batch)]


def numbers(app: ms.App) -> ms.App:
    app.stream("in", value=int, key=bytes).to("out")
    return app


def stops(task: Task, kind: type[Exception]) -> None:
    """However often one tries."""
    for _ in range(3):
        with pytest.raises(kind):
            task.process(max_rows=100, up_to_ms=None, wall_ms=0)


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_positions_point_at_the_record_that_cannot_be_decoded(chunk: int) -> None:  # X4
    app = every()
    app.stream("in", value=int).to("out")
    plan = Plan(app, {"in": 1, "out": 1})
    task, outbox = plan.only_task()
    good = bytes(8)
    task.add(batch_of(SOURCE, [Row(b"k", value, 5) for value in (good, good, b"bad", good)]))
    with pytest.raises(DeserializationError, match="offset 2"):
        while task.process(max_rows=chunk, up_to_ms=None, wall_ms=0):
            pass
    stops(task, DeserializationError)
    with pytest.raises(DeserializationError):
        task.head_time(0)
    assert task.positions()[SOURCE][0] == 2
    assert written(outbox) == [good, good]


@pytest.mark.parametrize("tracked", [False, True])
def test_positions_point_at_the_record_that_failed(tracked: bool) -> None:  # X4
    app = every()
    stream = app.stream("in", value=str).map_values(boom)
    (stream.process(Passing, value=str) if tracked else stream).to("out")
    task, outbox = task_of(app, "x", "y", "boom", "z")
    with pytest.raises(ProcessingError, match="offset 2"):
        task.process(max_rows=100, up_to_ms=None, wall_ms=0)
    assert task.positions()[SOURCE][0] == 2
    assert task.metrics.records == 2
    assert written(outbox) == [b"x", b"y"]


class Passing:
    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context

    def process(self, record: ms.Message) -> None:
        self.context.forward(record)


class FailingLater(Passing):
    def init(self, context: ms.ProcessorContext) -> None:
        super().init(context)
        context.schedule(2, "stream-time", lambda now: boom("boom" if now >= 2 else ""))


def test_positions_after_a_failed_punctuation_are_past_the_record_before_it() -> None:  # X4, P5
    app = every()
    app.stream("in", value=str).process(FailingLater, value=str).to("out")
    task, outbox = task_of(app, "x", "y", "z", "w")
    with pytest.raises(ProcessingError, match="punctuation"):
        task.process(max_rows=100, up_to_ms=None, wall_ms=0)
    assert written(outbox) == [b"x", b"y", b"z"]
    assert task.positions()[SOURCE][0] == 3


def test_an_error_that_no_handler_is_asked_about_tells_its_record() -> None:
    class Undecided:
        def __bool__(self) -> bool:
            raise RuntimeError("neither true nor false")

    app = every()
    app.stream("in", value=str).filter(lambda v: Undecided()).to("out")
    task, _ = task_of(app, "x")
    with pytest.raises(ProcessingError, match="in-0 offset 0: RuntimeError: neither true nor false"):
        task.process(max_rows=100, up_to_ms=None, wall_ms=0)


def test_gaps_and_empty_batches_move_the_position() -> None:  # X4
    app = every()
    app.stream("in", value=str).to("out")
    task, _ = Plan(app, {"in": 1, "out": 1}).only_task()
    task.add(Batch(SOURCE, [3, 7], [1, 2], [None, None], [b"x", b"y"], None, 12))
    assert task.process(max_rows=1, up_to_ms=None, wall_ms=0) == 1
    assert task.positions()[SOURCE][0] == 7
    assert task.process(max_rows=1, up_to_ms=None, wall_ms=0) == 1
    assert task.positions()[SOURCE][0] == 12
    task.add(Batch(SOURCE, [], [], [], [], None, 20))
    assert task.process(max_rows=1, up_to_ms=None, wall_ms=0) == 0
    assert task.positions()[SOURCE][0] == 20
    assert task.buffered(SOURCE) == 0


def test_records_dropped_at_the_head_are_passed_over() -> None:  # X4, T3
    app = every()
    app.stream("in", value=str, time=lambda v: int(v)).to("out")
    task, _ = task_of(app, "5", "-1", "-2")
    task.process(max_rows=100, up_to_ms=None, wall_ms=0)
    assert task.positions()[SOURCE][0] == 3
    assert task.buffered(SOURCE) == 0


@pytest.mark.parametrize("handler", ["fail", "skip"])
def test_a_failure_at_the_end_of_a_round(handler: Any) -> None:
    """What comes after it in the round is passed on by the next one: nothing of it is lost to a commit."""
    app = latest()
    reduced = app.stream("in", value=str).group_by(lambda v: v[0]).reduce(lambda a, b: b)
    reduced.to_stream().map_values(boom).to("out")
    plan = Plan(app, {"in": 1, "out": 1}, settings=EngineSettings(on_error=handler))
    outbox = plan.outbox()
    spec = plan.resolved.tasks[1]
    task = plan.task(spec, outbox)
    task.start()
    (source,) = spec.inputs
    task.add(batch_of(source, [Row(b"a", b"x", 1), Row(b"b", b"boom", 2), Row(b"c", b"z", 3)]))
    task.process(max_rows=100, up_to_ms=None, wall_ms=0)
    if handler == "skip":
        task.end_round()
        assert written(outbox) == [b"x", b"z"]
    else:
        for _ in range(2):
            with pytest.raises(ProcessingError, match=r"map_values at .* failed"):
                task.end_round()
        assert written(outbox) == [b"x"]


def test_a_failed_record_at_the_end_of_a_round_is_dead_with_its_source() -> None:  # X19, E4
    app = latest()
    app.stream("in", value=str).group_by_key().reduce(lambda a, b: b).to_stream().map_values(boom).to("out")
    run = Driven(app, EngineSettings(on_error="skip", dead_letters="dlq"))
    run.pipe("in a x 1", "in a boom 2")
    assert headers_of(run)["__streams.errors.offset"] == "1"
