"""Asynchronous operators, punctuations and rounds (P5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import millstream as ms
from millstream.engine import EngineSettings
from tests.driving import every
from tests.engine.async_programs import failing, only_task
from tests.engine.programs import Remembering, records
from tests.engine.tasks import Plan, one_record_rounds
from tests.engine.test_cuts import Replay, contents, told


def test_a_punctuation_sees_what_came_of_earlier_calls() -> None:  # P5
    class Counting:
        def init(self, context: ms.ProcessorContext) -> None:
            self.context, self.count = context, 0
            context.schedule(3, "stream-time", self.tell)
            context.schedule(10, "wall-clock", self.tell)

        def process(self, record: ms.Message) -> None:
            self.count += 1

        def tell(self, now: int) -> None:
            self.context.forward(ms.Message("n", str(self.count), now))

    app = every()
    app.stream("in", value=str).map_values_async(failing).process(Counting, value=str).to("out")
    task, round_of = only_task(app)
    assert round_of(*"abcdefgh") == ["1", "4", "7"], "at 0, 3 and 6"
    task.punctuate(10)
    task.close()


def test_the_latest_of_a_round_before_and_behind() -> None:  # E3, E4
    """What a round held back goes through the calls before the commit, and what comes of them to the next table."""
    app = ms.App("app", emit="latest")
    counts = app.stream("in", value=str).group_by_key().count()
    asked = counts.to_stream().map_values_async(lambda n: failing(str(n)), value=str)
    asked.group_by_key().reduce(lambda a, b: f"{a},{b}").to_stream().to("out", value=str)
    task, round_of = only_task(app)
    assert round_of(*"abc") == ["3"]
    assert round_of(*"de") == ["3,5"]
    task.close()


def punctual(app: ms.App, stream: ms.Stream[Any, Any]) -> ms.Stream[Any, Any]:
    store = ms.key_value_store(f"s{app._builder.size}", value=int)
    return stream.process(lambda: Remembering(store.name, punctual=True), stores=[store])


class Counted:
    """Each record's number among those of its key."""

    def __init__(self, store: str) -> None:
        self.store = store

    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.kept = context, context.get_state_store(self.store)

    def process(self, record: ms.Message) -> None:
        key = record.key or "none"
        self.kept.put(key, (self.kept.get(key) or 0) + 1)
        self.context.forward(record.with_value({"n": self.kept[key], "g": "x"}))


def counted(app: ms.App, stream: ms.Stream[Any, Any]) -> ms.Stream[Any, Any]:
    store = ms.key_value_store(f"n{app._builder.size}", value=int)
    return stream.process_values(lambda: Counted(store.name), stores=[store])


async def slow(value: Any) -> Any:
    n = 0 if value is None else int(value["n"])
    for _ in range((7 * n) % 5):
        await asyncio.sleep(0)
    if n % 5 == 4:
        raise ValueError("a four or a nine")
    return value and {**value, "n": n + 1}


STEPS: dict[str, Callable[[ms.App, ms.Stream[Any, Any]], ms.Stream[Any, Any]]] = {
    "slow": lambda _app, s: s.map_values_async(slow, concurrency=3),
    "one": lambda _app, s: s.map_values_async(slow, concurrency=1),
    "punctual": punctual,
    "odd": lambda _app, s: s.filter(lambda v: v is not None and v["n"] % 2),
    "twice": lambda _app, s: s.flat_map_values(lambda v: [v, v]),
    "counted": counted,
}


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
RUNS = (st.lists(st.sampled_from(sorted(STEPS)), max_size=4), st.integers(0, 30), st.integers(0, 2**32))


@QUICK
@given(*RUNS)
def test_cuts_change_no_byte(steps: list[str], size: int, seed: int) -> None:
    check(steps, size, seed)


@pytest.mark.nightly
@settings(QUICK, max_examples=2_000)
@given(*RUNS)
def test_cuts_change_no_byte_at_length(steps: list[str], size: int, seed: int) -> None:
    check(steps, size, seed)


def check(steps: list[str], size: int, seed: int) -> None:
    """Along one chain; against what goes past it the order is another. Stream-time punctuations begin anew after a
    restart, so programs with them are not restarted.
    """
    random = Random(seed)
    app = every()
    stream: ms.Stream[Any, Any] = app.stream("in")
    for step in (*steps, "slow"):
        stream = STEPS[step](app, stream)
    stream.to("out")
    handling = EngineSettings(on_decode_error="skip", on_error="skip", on_send_error="skip", dead_letters="dlq")
    plan = Plan(app, {"in": 1, "out": 2, "dlq": 1}, settings=handling)
    (spec,) = plan.resolved.tasks
    inputs = {spec.inputs[0]: records(random, size)}
    whole = one_record_rounds(plan, spec, inputs)
    cut = Replay(plan, spec, inputs, random).run(restarts="punctual" not in steps)
    for target in whole.outputs.written.keys() | cut.outputs.written.keys():
        rows = (told(cut).get(target), told(whole).get(target))
        if target.topic == "out":
            assert rows[0] == rows[1]
        elif "punctual" in steps:  # a restart may tell of a broken record twice
            assert sorted(rows[0] or [], key=repr) == sorted(rows[1] or [], key=repr)
    assert contents(plan, spec, cut.changelog) == contents(plan, spec, whole.changelog)
