"""The test driver itself (D1-D7)."""

from __future__ import annotations

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import MillstreamError
from millstream.testing import OutputRecord, TestDriver
from tests.driving import Driven, every


def test_an_input_that_waits() -> None:  # section 13: max_task_idle 10
    app = every()
    app.stream("A", value=str).merge(app.stream("B", value=str)).to("out")
    run = Driven(app, EngineSettings(wait_for_inputs_ms=10))
    assert run.says("A a x 5") == []
    assert run.says("B b y 4") == ["b=y@4"]
    run.driver.advance_wall_clock(10)
    assert run.out() == ["a=x@5"]


def test_records_of_several_inputs_go_in_the_order_of_time() -> None:  # T6
    app = every()
    app.stream("A", value=str).merge(app.stream("B", value=str)).to("out")
    run = Driven(app, EngineSettings(wait_for_inputs_ms=1000))
    for topic, times in (("A", (100, 110, 120)), ("B", (105, 115, 125, 103))):
        for t in times:
            run.pipe(f"{topic} k v {t}")
    run.driver.advance_wall_clock(1000)
    run.driver.advance_wall_clock(1000)
    assert [record.timestamp for record in run.driver.read("out")] == [100, 105, 110, 115, 120, 125, 103]


def test_repartition_topics_are_readable_and_run_before_pipe_returns() -> None:  # D2, D6
    app = every()
    app.stream("in", value=str).group_by(lambda v: v, name="g").count().to_stream().to("out")
    run = Driven(app)
    assert run.says("in k a 1") == ["a=1@1"]
    assert run.out("app-g-repartition", key=str, value=str) == ["a=a@1"]


def test_what_was_read_is_gone() -> None:
    app = every()
    app.stream("in", value=str).to("out")
    run = Driven(app)
    assert run.says("in k a 1") == ["k=a@1"]
    assert run.out() == []
    assert run.out("nowhere") == []


def test_negative_times_and_unknown_topics_are_refused() -> None:  # D6
    app = every()
    app.stream("in", value=str).to("out")
    with TestDriver(app) as driver:
        with pytest.raises(MillstreamError, match="must not be negative, got -1"):
            driver.pipe("in", "x", timestamp=-1)
        with pytest.raises(MillstreamError, match="the program reads no topic 'no'; it reads in"):
            driver.pipe("no", "x")
        driver.pipe("in", "x", key="k")
        assert driver.read("out") == [OutputRecord("k", "x", 0)]


def test_stores_are_there() -> None:
    app = every()
    app.global_table("G", value=str, store="g")
    app.stream("in", value=str).group_by_key().count(store="c")
    run = Driven(app)
    run.pipe("G a x 1", "in a x 1")
    counts, places = run.driver.store("c"), run.driver.store("g")
    assert isinstance(counts, ms.KeyValueStore)
    assert isinstance(places, ms.KeyValueStore)
    assert (counts.get("a"), places.get("a")) == (1, "x")
    with pytest.raises(MillstreamError, match="there is no store named 'x'; there are: c"):
        run.driver.store("x")
