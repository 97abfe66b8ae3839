"""The test driver itself (D1-D7)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

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


# --- rounds, and what is held back in them


def counting(emit: Any = "latest", **how: Any) -> ms.App:
    app = ms.App("app", emit=emit)
    app.stream("in", value=str).group_by_key().count(**how).to_stream().to("out")
    return app


def pairs(driver: TestDriver) -> list[tuple[Any, Any]]:
    return driver.output_topic("out").read_pairs()


def test_each_record_piped_is_a_round_with_a_commit() -> None:  # D2, E3
    with TestDriver(counting()) as driver:
        for key in "aba":
            driver.pipe("in", "x", key=key)
        assert pairs(driver) == [("a", 1), ("b", 1), ("a", 2)]


def test_a_round_passes_on_the_latest_of_each_key_by_last_update() -> None:  # E2, E3, E5
    with TestDriver(counting()) as driver:
        with driver.round():
            for at, key in enumerate("abac"):
                driver.pipe("in", "x", key=key, timestamp=at)
            assert pairs(driver) == []
        assert driver.read("out") == [OutputRecord("b", 1, 1), OutputRecord("a", 2, 2), OutputRecord("c", 1, 3)]
        assert driver.store("KSTREAM-AGGREGATE-STATE-STORE-0000000002").get("a") == 2
        (changes,) = [batch for batch in driver.changelog if batch.keys]
        assert sorted(changes.keys) == [b"a", b"b", b"c"]  # the changelog gets the merged writes too (E4)


def test_a_round_of_a_program_that_emits_every_update() -> None:  # E1
    with TestDriver(counting("every")) as driver:
        driver.pipe_many("in", [("a", "x", 1), ("b", "x", 2), ("a", "x", 3)])
        assert pairs(driver) == [("a", 1), ("b", 1), ("a", 2)]


def test_every_update_of_a_program_that_emits_the_latest() -> None:  # E1, D5
    with TestDriver(counting(), emit="every") as driver:
        driver.pipe_many("in", [("a", "x", 1), ("b", "x", 2), ("a", "x", 3)])
        assert pairs(driver) == [("a", 1), ("b", 1), ("a", 2)]


def test_merges_within_one_record_by_the_drivers_choice() -> None:  # D5, E5
    """One record makes two updates of one key; only the latest is passed on, unless every one is asked for."""
    app = ms.App("app")
    doubled = app.stream("in", value=str).flat_map_values(lambda v: [v, v]).group_by_key().count()
    doubled.to_stream().to("out")
    with TestDriver(app) as driver:
        driver.pipe("in", "x", key="a")
        assert pairs(driver) == [("a", 2)]
    with TestDriver(app, emit="every") as driver:
        driver.pipe("in", "x", key="a")
        assert pairs(driver) == [("a", 1), ("a", 2)]


def test_what_is_new_and_gone_within_a_round_was_never_there() -> None:  # E4
    app = ms.App("app")
    app.table("in", value=str, store="s").to_stream().to("out")
    with TestDriver(app) as driver:
        with driver.round():
            driver.pipe("in", "x", key="a", timestamp=1)
            driver.pipe("in", None, key="a", timestamp=2)
        assert driver.read("out") == []
        driver.pipe("in", "y", key="a", timestamp=3)
        with driver.round():
            driver.pipe("in", "z", key="a", timestamp=4)
            driver.pipe("in", None, key="a", timestamp=5)
        assert driver.read("out") == [OutputRecord("a", "y", 3), OutputRecord("a", None, 5)]


@pytest.mark.parametrize("emit", [None, "every"])
def test_a_tombstone_has_the_larger_timestamp_whether_held_back_or_not(emit: Any) -> None:  # Z10, A3
    app = ms.App("app")
    folded: ms.Table[str, str] = (
        app.stream("in", value=str)
        .group_by_key()
        .reduce(
            lambda a, b: None if b == "gone" else b  # type: ignore[arg-type, return-value]
        )
    )
    folded.to_stream().to("out")
    with TestDriver(app, emit=emit) as driver:
        driver.pipe("in", "x", key="a", timestamp=9)
        driver.pipe("in", "gone", key="a", timestamp=3)
        assert driver.read("out") == [OutputRecord("a", "x", 9), OutputRecord("a", None, 9)]


def test_stores_above_are_flushed_before_those_below() -> None:  # E3
    app = ms.App("app")
    by_key = app.table("in", value=str, store="rows")
    by_key.group_by(lambda k, v: (v, k), key=str).count().to_stream().to("out")
    with TestDriver(app) as driver:
        driver.pipe_many("in", [("a", "x", 1), ("b", "x", 2), ("a", "y", 3), ("b", "x", 4)])
        # a's two updates are one, from nothing to y, and b's one from nothing to x, in the order of the last ones
        assert pairs(driver) == [("y", 1), ("x", 1)]


def test_what_is_never_held_back() -> None:  # E2, E8, K15
    """Versioned tables, joins, windows on their close: each record's results show, in a round as well."""
    app = ms.App("app")
    app.table("T", value=str, history="1h").to_stream().to("versions")
    left, right = app.stream("L", value=str), app.stream("R", value=str)
    left.join(right, lambda a, b: f"{a}{b}", window=ms.join_window(10)).to("joined")
    left.group_by_key().windowed_by(ms.tumbling(10)).emit_on_close().count().to_stream().to("closed")
    with TestDriver(app) as driver, driver.round():
        driver.pipe("T", "x", key="a", timestamp=1)
        driver.pipe("T", "y", key="a", timestamp=2)
        driver.pipe("R", "1", key="a", timestamp=1)
        for at, value in ((2, "p"), (3, "q"), (25, "r"), (40, "s")):
            driver.pipe("L", value, key="a", timestamp=at)
    assert driver.output_topic("versions").read_values() == ["x", "y"]
    assert driver.output_topic("joined").read_values() == ["p1", "q1"]
    assert [(k.window.start, n) for k, n in driver.output_topic("closed").read_pairs()] == [(0, 2), (20, 1)]


def test_a_table_read_within_a_round_is_as_it_is_then() -> None:  # E2
    """Look-ups read what is not passed on yet."""
    app = ms.App("app")
    counts = app.stream("in", value=str).group_by_key().count()
    app.stream("ask", value=str).join(counts, lambda _, n: n).to("out")
    with TestDriver(app) as driver, driver.round():
        for at in (1, 3):
            driver.pipe("in", "x", key="a", timestamp=at)
            driver.pipe("ask", "?", key="a", timestamp=at + 1)
    assert driver.output_topic("out").read_values() == [1, 2]


def test_the_latest_of_windows_goes_by_all_keys_times() -> None:  # W19, T5
    app = ms.App("app")
    counts = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10)).count(store="w")
    counts.late().to("late")
    counts.to_stream().to("out")
    with TestDriver(app) as driver:
        driver.pipe_many("in", [("a", "x", 1), ("b", "x", 12), ("a", "late", 3), ("b", "y", 14)])
        assert [(k.key, n) for k, n in pairs(driver)] == [("a", 1), ("b", 2)]
        assert [record.key for record in driver.read("late")] == ["a"]


def test_rounds_do_not_nest_and_one_that_fails_leaves_nothing() -> None:  # D7
    with TestDriver(counting("every")) as driver:
        with pytest.raises(RuntimeError, match="the test's own"), driver.round():
            driver.pipe("in", "x", key="a")
            raise RuntimeError("the test's own")
        with pytest.raises(MillstreamError, match="rounds don't nest"), driver.round(), driver.round():
            pass
        driver.pipe("in", "x", key="a")
        assert pairs(driver) == [("a", 1)]


# --- clocks


class Ticking:
    """Tells the time of each tick, and of each record that it counted."""

    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context
        context.schedule(10, "wall-clock", self.tick)

    def process(self, record: ms.Message) -> None:
        self.context.forward(record)

    def tick(self, now: int) -> None:
        self.context.forward(ms.Message("tick", str(now), now))


def test_the_wall_clock_stands_until_it_is_moved_and_missed_calls_are_one() -> None:  # D3, P4
    app = ms.App("app")
    ticks = app.stream("in", value=str).process(Ticking, key=str, value=str)
    ticks.group_by_key().count().to_stream().to("out")
    with TestDriver(app, wall_ms=1000) as driver:
        driver.pipe("in", "x", key="a", timestamp=10**9)
        assert (driver.wall_ms, pairs(driver)) == (1000, [("a", 1)])
        driver.advance_wall_clock(9)
        assert pairs(driver) == []
        driver.advance_wall_clock(1)
        assert pairs(driver) == [("tick", 1)]  # committed, through the repartition topic too
        driver.advance_wall_clock("1s")
        assert (driver.wall_ms, pairs(driver)) == (2010, [("tick", 2)])


# --- errors


def test_an_error_leaves_the_driver_usable() -> None:  # D7
    app = ms.App("app")
    app.stream("in", value=int).map_values(lambda n: 10 // n, value=int).to("out")
    with TestDriver(app) as driver:
        with pytest.raises(MillstreamError, match="ZeroDivisionError"):
            driver.pipe("in", 0, key="a")
        driver.pipe("in", 5, key="a")
        with pytest.raises(MillstreamError, match="ZeroDivisionError"):
            driver.pipe_many("in", [("b", 5, 0), ("b", 0, 0), ("b", 2, 0)])
        driver.pipe("in", 2, key="c")
        assert pairs(driver) == [("a", 2), ("b", 2), ("c", 5)]


def test_the_applications_own_error_handlers() -> None:
    app = ms.App("app", on_error="skip", dead_letters="dead")
    app.stream("in", value=int).map_values(lambda n: 10 // n, value=int).to("out")
    with TestDriver(app) as driver:
        driver.pipe_many("in", [("a", 0, 0), ("b", 5, 0)])
        assert pairs(driver) == [("b", 2)]
        assert len(driver.read("dead")) == 1


# --- topics and stores


def test_an_input_topic_has_a_clock_of_its_own() -> None:
    app = every()
    app.stream("in", value=str).to("out")
    with TestDriver(app) as driver:
        words = driver.input_topic("in", start=100, step=10)
        words.pipe("a", key="k", headers=(("h", b"1"),))
        words.pipe("b", timestamp=5)
        words.advance_time(1000)
        words.pipe_pairs([("x", "c"), ("y", None)])
        assert driver.read("out") == [
            OutputRecord("k", "a", 100, (("h", b"1"),)),
            OutputRecord(None, "b", 5),
            OutputRecord("x", "c", 1110),
            OutputRecord("y", None, 1120),
        ]
        assert words.now_ms == 1130


def test_an_output_topic_is_read_record_by_record_or_as_a_whole() -> None:
    app = every()
    app.table("in", value=str).to_stream().to("out")
    with TestDriver(app) as driver:
        out = driver.output_topic("out")
        with pytest.raises(MillstreamError, match="no further record in topic 'out'"):
            out.read()
        for key, value in (("a", "1"), ("b", "2"), ("a", "3"), ("b", None), ("c", "4")):
            driver.pipe("in", value, key=key)
        assert (len(out), out.read_value(), out.read().value, len(out)) == (5, "1", "2", 3)
        assert out.read_table() == {"a": "3", "c": "4"}
        assert (len(out), out.read_all()) == (0, [])


def test_all_outputs_without_internal_topics() -> None:  # D6
    app = every()
    counts = app.stream("in", value=str).group_by(lambda v: v).count()
    counts.to_stream().to("out")
    counts.filter(lambda n: n > 1).to_stream().to("more")
    with TestDriver(app) as driver:
        driver.pipe("in", "x")
        found = {topic: [record.value for record in records] for topic, records in driver.outputs().items()}
        assert found == {"out": [1]}
        assert driver.outputs() == {}
        driver.pipe("in", "x")
        assert sorted(driver.outputs()) == ["more", "out"]


class Stored(ms.Record):
    n: int
    mean: float


def test_stores_of_every_kind_by_their_names() -> None:  # P9
    app = every()
    stream = app.stream("in", value=int)
    group = stream.group_by_key()
    how = {"n": ms.count(), "mean": ms.mean(lambda v: v)}
    group.aggregate(Stored, **how, store="plain")
    group.windowed_by(ms.tumbling(10), retention="1m").aggregate(Stored, **how, store="windows")
    group.windowed_by(ms.session(5)).aggregate(Stored, **how, store="sessions")
    app.table("T", value=int, history="1h", store="versions").to_stream().to("out")
    kept = group.count().suppress(ms.until_time_limit(100), name="held")
    kept.to_stream().to("out")
    with TestDriver(app) as driver:
        for at in (3, 7, 14):
            driver.pipe("in", at, key="a", timestamp=at)
        for at in (1, 2):
            driver.pipe("T", at, key="a", timestamp=at)
        assert driver.store("plain").get("a") == Stored(3, 8.0)  # the result, not what it is made of
        windows = driver.store("windows")
        assert isinstance(windows, ms.WindowStore)
        assert list(windows.fetch("a", 0, 100)) == [(0, Stored(2, 5.0)), (10, Stored(1, 14.0))]
        sessions = driver.store("sessions")
        assert isinstance(sessions, ms.SessionStore)
        assert [(each.window, value.n) for each, value in sessions.fetch("a")] == [((3, 7), 2), ((14, 14), 1)]
        versions = driver.store("versions")
        assert isinstance(versions, ms.VersionedStore)
        assert (versions.get("a"), versions.get("a", as_of=1)) == ((2, 2), (1, 1))
        assert len(driver.store("held-store")) == 1


def test_stores_in_rocksdb_are_read_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    app = every()
    app.stream("in", value=str).group_by_key().count(store="counts").to_stream().to("out")
    with TestDriver(app, store="rocksdb", cache=0) as driver:
        for key in ("b", "a", "b"):
            driver.pipe("in", "x", key=key, timestamp=7)
        assert [(row.key, row.value) for row in driver.read("out", value=int)] == [("b", 1), ("a", 1), ("b", 2)]
        counts = driver.store("counts")
        assert (list(counts.all()), counts["b"], counts.timestamp("a")) == ([("a", 1), ("b", 2)], 2, 7)
        assert list(tmp_path.iterdir()), "it lies in a folder"
    assert list(tmp_path.iterdir()) == []
