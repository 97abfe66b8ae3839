"""Processors: forwarding, stores, clocks, metadata (P1-P9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import millstream as ms
from millstream.errors import MillstreamError, ProcessingError, StateError, TopologyError
from millstream.model import TopicPartition
from tests.driving import Driven, every
from tests.engine.tasks import Plan, Row, batch_of


class Told:
    """A processor made of functions: `init(context)` and `process(context, record)`."""

    def __init__(
        self, process: Callable[[Any, ms.Message], object], init: Callable[[Any], object] = lambda _: None
    ) -> None:
        self._process, self._init = process, init

    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context
        self._init(context)

    def process(self, record: ms.Message) -> None:
        self._process(self.context, record)


def forwarding(context: Any, record: ms.Message) -> None:
    context.forward(record)


def driven(process: Any, init: Any = lambda _: None, *, stores: Any = (), wall_ms: int = 0) -> Driven:
    app = every()
    stream = app.stream("in", value=str)
    stream.process(lambda: Told(process, init), stores=stores, value=str).to("out", key=str)
    return Driven(app, wall_ms=wall_ms)


def calls_at(interval: int, **how: Any) -> Callable[[Any], object]:
    def init(context: Any) -> None:
        context.schedule(interval, "stream-time", lambda now: context.forward(ms.Message("call", "", now)), **how)

    return init


def test_stream_time_punctuation() -> None:  # P3, P5
    run = driven(forwarding, calls_at(10))
    said = {t: run.says(f"in k v {t}") for t in (37, 39, 40, 75, 79, 80)}
    called = [t for t, records in said.items() if f"call=@{t}" in records]
    assert called == [37, 40, 75, 80]
    assert said[37] == ["k=v@37", "call=@37"]


@pytest.mark.parametrize("round_size", [1, 2, 100])
def test_punctuations_come_between_two_records_of_a_round_too(round_size: int) -> None:  # P5, Z11
    app = every()
    app.stream("in", value=str).process(lambda: Told(forwarding, calls_at(10)), value=str).to("out")
    task, outbox = Plan(app, {"in": 1, "out": 1}).only_task()
    rows = [Row(b"k", b"v", time) for time in (37, 39, 40, 5, 75, 79, 80)]
    task.add(batch_of(TopicPartition("in", 0), rows))
    while task.process(max_rows=round_size, up_to_ms=None, wall_ms=0):
        task.end_round()
    (written,) = outbox.drain()
    called = [time for key, time in zip(written.keys, written.timestamps, strict=True) if key == b"call"]
    assert called == [37, 40, 75, 80]


def test_stream_time_does_not_go_back() -> None:  # T4
    run = driven(forwarding, calls_at(10))
    assert run.says("in k v 37", "in k v 5") == ["k=v@37", "call=@37", "k=v@5"]


def test_stream_time_anchor() -> None:  # P4
    run = driven(forwarding, calls_at(10, start=45))
    called = [t for t in (37, 44, 45, 54, 55) if f"call=@{t}" in run.says(f"in k v {t}")]
    assert called == [45, 55]


@pytest.mark.parametrize(("start", "calls"), [(None, [7100, 7200]), (30, [7030, 7130]), (7050, [7050, 7150])])
def test_wall_clock_punctuation(start: int | None, calls: list[int]) -> None:  # P4
    seen: list[int] = []
    run = driven(forwarding, lambda c: c.schedule(100, "wall-clock", seen.append, start=start), wall_ms=7000)
    for _ in range(20):
        run.driver.advance_wall_clock(10)
    assert seen == calls
    run.driver.advance_wall_clock(1000)
    assert len(seen) == 3, "missed calls collapse into one"


def test_cancel_within_the_call_and_of_another() -> None:  # P5
    seen: list[str] = []

    def init(context: Any) -> None:
        second: list[Any] = []

        def once(_now: int) -> None:
            seen.append("once")
            first.cancel()
            second[0].cancel()

        first = context.schedule(10, "stream-time", once)
        second.append(context.schedule(10, "stream-time", lambda _: seen.append("never")))

    run = driven(forwarding, init)
    run.pipe("in k v 15", "in k v 55")
    assert seen == ["once"]


def test_what_is_due_first_is_called_first() -> None:
    seen: list[str] = []

    def init(context: Any) -> None:
        context.schedule(100, "stream-time", lambda _: seen.append("late"), start=50)
        context.schedule(100, "stream-time", lambda _: seen.append("early"), start=20)

    run = driven(forwarding, init)
    run.pipe("in k v 60")
    assert seen == ["early", "late"]


def test_a_punctuation_that_schedules_another_ends() -> None:
    seen: list[int] = []

    def init(context: Any) -> None:
        def again(now: int) -> None:
            seen.append(now)
            handle.pop().cancel()
            handle.append(context.schedule(10, "stream-time", again))

        handle = [context.schedule(10, "stream-time", again)]

    run = driven(forwarding, init)
    run.pipe("in k v 15", "in k v 16", "in k v 17")
    assert seen == [15, 16, 17]


def test_many_schedules_cost_only_what_is_due() -> None:
    """Ten thousand timers far away and one near: the near one's calls don't look at the others."""
    calls: list[int] = []
    far = 10**9
    run = driven(forwarding, lambda c: [c.schedule(far, "stream-time", calls.append, start=far) for _ in range(10_000)])
    schedule = run.driver._task._parts.stream_time
    due_checked = 0

    class Counting(list):  # type: ignore[type-arg]
        def __getitem__(self, at: Any) -> Any:
            nonlocal due_checked
            due_checked += 1
            return super().__getitem__(at)

    schedule._items = Counting(schedule._items)
    schedule.run(5)
    assert due_checked < 10
    assert calls == []


def test_metadata_of_records_and_punctuations() -> None:  # P1
    seen: list[Any] = []

    def init(context: Any) -> None:
        context.schedule(10, "stream-time", lambda _: seen.append(tuple(context.record_metadata)))

    run = driven(lambda c, r: seen.append(tuple(c.record_metadata)), init)
    run.pipe("in k v 1", "in k v 2", "in k v 12")
    assert seen == [("in", 0, 0), (None, -1, -1), ("in", 0, 1), ("in", 0, 2), (None, -1, -1)]


def test_forward_sets_time_and_headers_for_the_subtree_only() -> None:  # P2, T8
    def process(context: Any, record: ms.Message) -> None:
        context.forward(record.with_timestamp(99).with_headers((("x", b"1"),)))
        context.forward(record)

    run = driven(process)
    run.driver.pipe("in", "v", key="k", timestamp=5, headers=(("h", b"2"),))
    said = run.driver.read("out")
    assert [(record.timestamp, record.headers) for record in said] == [(99, (("x", b"1"),)), (5, (("h", b"2"),))]


def test_punctuated_records_have_no_headers() -> None:  # P1
    run = driven(forwarding, calls_at(10))
    run.driver.pipe("in", "v", key="k", timestamp=5, headers=(("h", b"2"),))
    assert [record.headers for record in run.driver.read("out")] == [(("h", b"2"),), ()]


def test_forward_to_one_child() -> None:  # P2
    app = every()
    made = app.stream("in", value=str).process(lambda: Told(lambda c, r: c.forward(r, "two")), value=str)
    made.map_values(lambda v: v + "1", name="one").to("out")
    made.map_values(lambda v: v + "2", name="two", value=str).to("out")
    assert Driven(app).says("in k v 1") == ["k=v2@1"]


def test_an_unknown_child_is_an_error() -> None:  # P2
    run = driven(lambda c, r: c.forward(r, "nobody"))
    with pytest.raises(MillstreamError, match=r"process at .*test_processors.py:\d+: there is no child named 'nobody'"):
        run.pipe("in k v 1")


def test_a_negative_timestamp_is_an_error() -> None:  # P1
    run = driven(lambda c, r: c.forward(r.with_timestamp(-1)))
    with pytest.raises(ProcessingError, match="must not be negative"):
        run.pipe("in k v 1")


def test_generators_are_processors() -> None:
    def twice(record: ms.Message) -> Iterator[ms.Message]:
        yield record
        yield record.with_value(record.value + "!")

    app = every()
    app.stream("in", value=str).process(twice, value=str).to("out")
    assert Driven(app).says("in k v 1") == ["k=v@1", "k=v!@1"]


def test_a_process_may_yield() -> None:
    class Numbered:
        stores = [ms.key_value_store("numbers", value=int)]

        def init(self, context: ms.ProcessorContext) -> None:
            self.numbers = context.get_state_store("numbers")

        def process(self, record: ms.Message) -> Iterator[ms.Message]:
            self.numbers.put("n", (self.numbers.get("n") or 0) + 1)
            yield record.with_value(f"{record.value}{self.numbers.get('n')}")
            yield record

    app = every()
    app.stream("in", value=str).process_values(Numbered, value=str).to("out")
    assert Driven(app).says("in k v 1", "in k w 2") == ["k=v1@1", "k=v@1", "k=w2@2", "k=w@2"]


def test_a_coroutine_that_nobody_awaits_is_an_error() -> None:
    class Hidden:
        def process(self, record: ms.Message) -> object:
            async def later() -> None: ...

            return later()

    app = every()
    app.stream("in", value=str).process(Hidden, value=str).to("out")
    with pytest.raises(ProcessingError, match="process returned a coroutine: write it as `async def process`"):
        Driven(app).pipe("in k v 1")


COUNTS = ms.key_value_store("counts", value=int)


def count(context: Any, record: ms.Message) -> None:
    store = context.get_state_store("counts")
    store.put(record.key, (store.get(record.key) or 0) + 1)
    context.forward(record.with_value(str(store[record.key])))


def test_stores_and_their_changelog() -> None:  # P7, F1
    run = driven(count, stores=[COUNTS])
    assert run.says("in a x 5", "in a y 3", "in b z 9") == ["a=1@5", "a=2@3", "b=1@9"]
    rows = [
        (k, v, t)
        for batch in run.driver.changelog
        for k, v, t in zip(batch.keys, batch.values, batch.timestamps, strict=True)
    ]
    assert rows == [(b"a", bytes(7) + b"\1", 5), (b"a", bytes(7) + b"\2", 3), (b"b", bytes(7) + b"\1", 9)]


def test_two_processors_share_a_store() -> None:  # P7
    app = every()
    app.stream("in", value=str).process(lambda: Told(count), stores=[COUNTS], value=str).to("out")
    app.stream("other", value=str).process(lambda: Told(count), stores=[COUNTS], value=str).to("out")
    assert len(app.topology().subtopologies) == 1
    assert Driven(app).says("in a x 5", "other a y 6") == ["a=1@5", "a=2@6"]


def test_only_connected_stores_are_seen() -> None:  # P7
    app = every()
    app.stream("in", value=str).process(lambda: Told(count), stores=[COUNTS]).to("out")
    app.stream("other", value=str).process(lambda: Told(count)).to("out")
    with pytest.raises(
        TopologyError, match=r"process at .*test_processors.py:\d+: the store 'counts' is not connected"
    ):
        Driven(app).pipe("other a x 1")


def test_global_stores_are_seen_by_all_and_written_by_none() -> None:  # P7, K18
    app = every()
    app.global_table("G", value=str, store="places")
    seen: list[Any] = []

    def process(context: Any, record: ms.Message) -> None:
        store = context.get_state_store("places")
        seen.append(store.get(record.key))
        store.put(record.key, "mine")

    app.stream("in", value=str).process(lambda: Told(process)).to("out")
    run = Driven(app)
    run.pipe("G a here 1")
    with pytest.raises(StateError, match="global table is read-only"):
        run.pipe("in a x 2")
    assert seen == ["here"]


def test_close_is_called_once() -> None:
    closed: list[int] = []

    class Closing:
        def process(self, record: ms.Message) -> None: ...

        def close(self) -> None:
            closed.append(1)

    app = every()
    app.stream("in", value=str).process(Closing).to("out")
    run = Driven(app)
    run.driver.close()
    run.driver.close()
    assert closed == [1]


def test_commit_is_a_request() -> None:  # P6
    run = driven(lambda c, r: c.commit())
    run.pipe("in k v 1")
    assert not run.driver._task.commit_requested
