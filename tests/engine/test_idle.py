"""Time that goes on by the wall clock while no records come: idle="wall-clock" (T5, T7, E7-E9, E11, J8, J17)."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import millstream as ms
from millstream.engine import EngineSettings, Task
from millstream.errors import ConfigError, TopologyError
from millstream.model import TopicPartition
from millstream.testing import TestDriver
from tests.driving import Driven, every
from tests.engine.tasks import Plan, Row, batch_of, rows_of

IDLE = EngineSettings(idle_after_ms=1000)


def closing(windows: Any, settings: EngineSettings = IDLE) -> Driven:
    app = every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(windows).emit_on_close()
    grouped.reduce(lambda a, b: a + b, store="w").to_stream().to("out")
    return Driven(app, settings)


def after(run: Driven, ms_: int) -> list[str]:
    run.driver.advance_wall_clock(ms_)
    return run.out()


def test_off_unless_it_is_asked_for() -> None:  # E7, E15
    run = closing(ms.tumbling(10), EngineSettings())
    run.pipe("in a x 3")
    assert after(run, 10**9) == []


def test_tumbling() -> None:  # E7, W3
    run = closing(ms.tumbling(10, grace=5))
    run.pipe("in a x 3", "in b y 4")
    assert after(run, 1010) == []  # time was 4 and is 14 by now
    assert after(run, 1) == ["a[0,10]=x@3", "b[0,10]=y@4"]
    run.pipe("in a L 4")
    assert run.driver.metrics.late == 1
    assert after(run, 10_000) == []


def test_time_goes_no_further_than_to_what_was_passed_on() -> None:  # T5
    run = closing(ms.tumbling(10, grace=5))
    run.pipe("in a x 3")
    assert after(run, 100_000) == ["a[0,10]=x@3"]
    run.pipe("in a y 14", "in a z 11")  # far behind the wall clock, and in a window that is still open
    assert run.driver.metrics.late == 0
    assert after(run, 1009) == []  # time is 15 since the first window was told
    assert after(run, 1) == ["a[10,20]=yz@14"]


def test_each_record_begins_the_waiting_anew() -> None:
    run = closing(ms.tumbling(10))
    run.pipe("in a x 3")
    assert after(run, 900) == []
    run.pipe("in a y 5")
    assert after(run, 900) == []
    assert after(run, 105) == ["a[0,10]=xy@5"]


def test_windows_close_in_the_order_of_their_time() -> None:  # E8
    run = closing(ms.hopping(10, advance=5))
    run.pipe("in b x 7", "in a y 3")
    assert after(run, 100_000) == ["a[0,10]=y@3", "b[0,10]=x@7", "b[5,15]=x@7"]


def test_sliding() -> None:  # E7
    run = closing(ms.sliding(10, grace=2))
    run.pipe("in a x 100", "in a y 101")
    assert after(run, 1001) == []
    assert after(run, 2) == ["a[90,100]=x@100", "a[91,101]=xy@101"]  # at 103 and 104
    assert after(run, 9) == []
    assert after(run, 1) == ["a[101,111]=y@101"]


def test_sessions() -> None:  # E7, W14
    run = closing(ms.session(10, grace=5))
    run.pipe("in a x 100", "in a y 104")
    assert after(run, 1015) == []
    run.pipe("in a z 104")  # it raises no time, but it came
    assert after(run, 1015) == []
    assert after(run, 1) == ["a[100,104]=xyz@104"]
    run.pipe("in a L 104")
    assert run.driver.metrics.late == 1


def test_a_session_that_grew_is_not_closed_by_its_old_end() -> None:
    run = closing(ms.session(10))
    run.pipe("in a x 100", "in b q 105", "in a y 109")
    assert after(run, 1000 + 116 - 109) == ["b[105,105]=q@105"]
    run.pipe("in a z 108")
    assert after(run, 1003) == []  # time is 116
    assert after(run, 1) == ["a[100,109]=xyz@109"]


def test_throttled_looks_do_not_hold_it_up() -> None:  # E9
    run = closing(ms.tumbling(10), EngineSettings(idle_after_ms=1000, emit_interval_ms=60_000))
    run.pipe("in a x 3")
    assert after(run, 2000) == ["a[0,10]=x@3"]


@pytest.mark.parametrize("windows", [ms.tumbling(10, grace=5), ms.sliding(9, grace=5), ms.session(9, grace=5)])
def test_what_kafkas_rule_would_have_lost_is_lost_no_more_by_idleness(windows: Any) -> None:  # Z1, W20
    """Time that goes on by the clock moves no store's own clock, by which it forgets."""
    told = []
    for rule in ("lossless", "kafka"):
        run = closing(windows, EngineSettings(idle_after_ms=1000, retention_rule=cast("Any", rule)))
        run.pipe("in a x 12")
        told.append(after(run, 10_000))
    assert told[0] == told[1] and len(told[0]) == 1


def test_below_a_window_another_closes() -> None:
    app = every()
    counts = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10)).emit_on_close().count()
    again = counts.to_stream(key=lambda _: "all").group_by_key().windowed_by(ms.tumbling(100)).emit_on_close()
    again.count().to_stream().to("out")
    run = Driven(app, IDLE)
    run.pipe("in a x 3", "in b x 3")
    assert after(run, 2000) == []  # the first windows are closed, and the second begins to wait
    assert after(run, 1096) == []
    assert after(run, 1) == ["all[0,100]=2@3"]


# --- suppress


def suppressed(suppression: Any, emit: Any = "every", **how: Any) -> Driven:
    app = ms.App("app", emit=emit)
    counts = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10, grace=5)).count()
    counts.filter(lambda n: n > 0).suppress(suppression, **how).to_stream().to("out")
    return Driven(app, IDLE)


@pytest.mark.parametrize("emit", ["every", "latest"])
def test_suppressed_windows(emit: str) -> None:  # E13
    run = suppressed(ms.until_window_closes(), emit)
    run.pipe("in a x 3", "in a y 4")
    assert after(run, 1011) == []
    assert after(run, 1) == ["a[0,10]=2@4"]
    run.pipe("in a z 5")  # the window is closed for the aggregation above as well
    assert run.driver.metrics.late == 1
    assert after(run, 10_000) == []
    run.pipe("in a w 15")
    assert after(run, 10_000) == ["a[10,20]=1@15"]


@pytest.mark.parametrize(
    "windows", [ms.tumbling(10, grace=5), ms.hopping(10, advance=5), ms.sliding(10), ms.session(5)]
)
def test_suppressed_and_on_close_alike_in_memory_and_on_disk(windows: Any) -> None:  # E7, E13
    told = []
    for store in ("memory", "rocksdb"):
        for on_close in (False, True):
            app = ms.App("app", idle="wall-clock", idle_after=100)
            grouped = app.stream("in", value=str).group_by_key().windowed_by(windows)
            table = (grouped.emit_on_close() if on_close else grouped).reduce(lambda a, b: a + b)
            table.late().to("late")
            (table if on_close else table.suppress(ms.until_window_closes())).to_stream().to("out")
            with TestDriver(app, store=cast("Any", store), cache="1KB") as driver:
                for time, value in ((3, "p"), (7, "q"), (20, "r"), (22, "s")):
                    driver.pipe("in", value, key="a", timestamp=time)
                driver.advance_wall_clock(10_000)
                driver.pipe("in", "late", key="a", timestamp=21)
                driver.advance_wall_clock(10_000)
                told.append((driver.output_topic("out").read_table(), driver.output_topic("late").read_values()))
    assert told[0][0] and told[0][1] == ["late"]
    assert told == [told[0]] * 4


def test_suppressed_until_a_time_limit() -> None:  # E11, E12
    run = suppressed(ms.until_time_limit(7))
    run.pipe("in a x 3")
    assert after(run, 1006) == []
    assert after(run, 1) == ["a[0,10]=1@3"]
    assert run.says("in a y 4") == []  # the limit is one of time, not of windows
    assert after(run, 1007) == ["a[0,10]=2@4"]


def test_a_setting_of_its_own() -> None:
    app = every()
    grouped = app.stream("in", value=str).group_by_key()
    early = grouped.windowed_by(ms.tumbling(10), idle_after=5).count()
    early.suppress(ms.until_window_closes()).to_stream().to("out")  # takes it from the windows
    early.suppress(ms.until_window_closes(), idle_after=50).to_stream().to("out")
    grouped.windowed_by(ms.tumbling(10)).emit_on_close().count().to_stream().to("out")
    run = Driven(app, EngineSettings())
    run.pipe("in a x 3")
    assert after(run, 12) == []
    assert after(run, 1) == ["a[0,10]=1@3"]
    assert after(run, 44) == []
    assert after(run, 1) == ["a[0,10]=1@3"]
    assert after(run, 10_000) == []


# --- joins


def test_rows_without_a_partner_go_on_alone() -> None:  # J8
    app = every()
    left, right = app.stream("L", value=str), app.stream("R", value=str)
    window = ms.join_window(before=10, after=20, grace=5)
    left.outer_join(right, lambda a, b: f"{a}+{b}", window=window).to("out")
    run = Driven(app, IDLE)
    run.pipe("L a x 100", "R b y 101")
    assert after(run, 1000 + 15) == []
    assert after(run, 1) == ["b=None+y@101"]  # at 101 + 10 + 5 + 1
    assert after(run, 8) == []
    assert after(run, 1) == ["a=x+None@100"]  # at 100 + 20 + 5 + 1
    assert after(run, 10_000) == []
    assert run.says("R c z 90") == ["c=null+z@90".replace("null", "None")]  # time has gone on for it
    assert run.says("L q z 130") == []


def test_by_the_setting_of_the_joins_window() -> None:  # J8
    app = every()
    window = ms.join_window(10, idle_after="1s")
    app.stream("L", value=str).left_join(app.stream("R", value=str), lambda a, b: f"{a}+{b}", window=window).to("out")
    run = Driven(app, EngineSettings())
    run.pipe("L a x 100")
    assert after(run, 1010) == []
    run.pipe("R b y 100")  # the other side's record, too, begins the waiting anew
    assert after(run, 1010) == []
    assert after(run, 1) == ["a=x+None@100"]


def test_a_stream_that_waits_for_a_versioned_table() -> None:  # J17
    app = every()
    table = app.table("T", value=str, history=1000)
    app.stream("L", value=str).join(table, lambda a, b: f"{a}+{b}", grace=10).to("out")
    run = Driven(app, IDLE)
    run.pipe("T a t1 10", "L a x 15")
    assert after(run, 1009) == []
    assert after(run, 1) == ["a=x+t1@15"]


# --- inputs


def two_inputs(idle: EngineSettings) -> Task:
    app = every()
    app.stream("A", value=str).merge(app.stream("B", value=str)).to("out")
    task, _ = Plan(app, {"A": 1, "B": 1, "out": 1}, settings=idle).only_task()
    task.add(batch_of(TopicPartition("A", 0), [Row(b"k", b"x", 5)]))
    return task


@pytest.mark.parametrize("wait_ms", [0, 10_000])
def test_an_idle_partition_holds_no_others_back(wait_ms: int) -> None:  # T7
    task = two_inputs(EngineSettings(wait_for_inputs_ms=wait_ms, idle_after_ms=1000))
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=0) == 0
    if wait_ms:
        task.caught_up(TopicPartition("B", 0), 0)
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=999) == 0
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=1000) == 1


def test_without_it_a_partition_of_which_nothing_is_known_does() -> None:  # T7
    task = two_inputs(EngineSettings())
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=0) == 0
    assert task.process(max_rows=9, up_to_ms=None, wall_ms=10**9) == 0


class Closing:
    """A program with one task that closes windows, with restarts."""

    def __init__(self, *, suppress: bool = False) -> None:
        app = every()
        grouped = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10, grace=5))
        if suppress:
            grouped.count(store="w").suppress(ms.until_window_closes(), name="s").to_stream().to("out")
        else:
            grouped.emit_on_close().count(store="w").to_stream().to("out")
        self.plan = Plan(app, {"in": 1, "out": 1}, settings=IDLE)
        self.source = TopicPartition("in", 0)
        self.offset = 0
        self.log: list[Any] = []
        self.committed: dict[TopicPartition, tuple[int, str]] = {}
        self.task, self.outbox = self.plan.only_task()

    def add(self, *rows: Row, end: bool = True) -> None:
        self.task.add(batch_of(self.source, rows, self.offset))
        self.offset += len(rows)
        if end:
            self.task.caught_up(self.source, self.offset)

    def out(self) -> list[Row]:
        return [row for batch in self.outbox.drain() for row in rows_of(batch)]

    def commit(self) -> None:
        self.task.end_round()
        self.log += self.task.changelog()
        self.committed |= self.task.positions()
        self.task.committed()

    def restart(self, wall_ms: int) -> None:
        self.task.close()
        (spec,) = self.plan.resolved.tasks
        self.task = self.plan.task(spec, self.outbox, wall_ms=wall_ms)
        for batch in self.log:
            self.task.restore(batch.target, batch_of(batch.target, rows_of(batch)))
        self.task.resume(
            {source: text for source, (_, text) in self.committed.items()},
            {source: offset for source, (offset, _) in self.committed.items()},
        )
        self.task.start()
        self.task.caught_up(self.source, self.offset)


def test_nothing_closes_before_everything_was_read() -> None:  # T7
    run = Closing()
    run.add(Row(b"a", b"x", 3), end=False)
    run.task.process(max_rows=9, up_to_ms=None, wall_ms=0)
    assert not run.task.punctuate(10**6)
    assert run.task.next_wall_punctuation() is None
    run.task.caught_up(run.source, 1)
    assert run.task.next_wall_punctuation() == 1012
    assert run.task.punctuate(10**6)
    assert run.task.needs_commit and run.task.next_wall_punctuation() is None
    assert len(run.out()) == 1


def test_nothing_closes_while_nothing_can_be_read() -> None:
    run = Closing()
    run.add(Row(b"a", b"x", 3))
    run.task.process(max_rows=9, up_to_ms=None, wall_ms=0)
    assert not run.task.punctuate(5000, unreadable=True)
    assert not run.task.punctuate(5999)
    assert run.task.punctuate(6012)


@pytest.mark.parametrize("suppress", [False, True])
def test_restarts_tell_nothing_twice(suppress: bool) -> None:  # E9, F15
    run = Closing(suppress=suppress)
    run.add(Row(b"a", b"x", 3))
    run.task.process(max_rows=9, up_to_ms=None, wall_ms=0)
    run.commit()
    run.restart(100)  # before the window is told
    assert run.task.positions() == {}
    assert run.task.punctuate(1113)
    assert len(run.out()) == 1
    run.commit()  # without a record since the restart
    run.restart(2000)
    assert not run.task.punctuate(10**6)
    run.add(Row(b"a", b"late", 4))
    run.task.process(max_rows=9, up_to_ms=None, wall_ms=10**6)
    run.task.end_round()
    assert run.task.metrics.late == 1
    assert run.out() == []
    run.task.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 0, 500, 1020, 5000]), st.booleans()), max_size=20))
def test_each_window_is_told_once_with_every_record_that_was_not_late(steps: list[tuple[int, int, bool]]) -> None:
    run = Closing()
    wall = late = 0
    for time, pause, restarts in steps:
        run.add(Row(b"a", b"x", time))
        run.task.process(max_rows=9, up_to_ms=None, wall_ms=wall)
        wall += pause
        run.task.punctuate(wall)
        run.commit()
        if restarts:
            late += run.task.metrics.late
            run.restart(wall)
    run.task.punctuate(wall + 10**6)
    late += run.task.metrics.late
    told = run.out()
    assert len({row.key for row in told}) == len(told)
    assert sum(int.from_bytes(row.value or b"") for row in told) + late == len(steps)
    run.task.close()


# --- settings


def test_the_applications_setting_holds_in_the_test_driver_too() -> None:
    app = ms.App("app", idle="wall-clock", idle_after="2s")
    app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10)).emit_on_close().count().to_stream().to(
        "out"
    )
    with TestDriver(app) as driver:
        driver.pipe("in", "x", key="a", timestamp=3)
        driver.advance_wall_clock("1s")
        assert driver.read("out") == []
        driver.advance_wall_clock("2s")
        assert [record.value for record in driver.read("out")] == [1]


def test_refused_settings() -> None:
    with pytest.raises(ConfigError, match='idle=\'on\': give "off" or "wall-clock"'):
        ms.App("app", idle="on")
    with pytest.raises(ConfigError, match="idle_after=0: it must be above 0"):
        ms.App("app", idle_after=0)
    grouped = every().stream("in", value=str).group_by_key()
    with pytest.raises(
        TopologyError, match=r"windowed_by at .*test_idle\.py:\d+: idle_after must be above 0, got 0 ms"
    ):
        grouped.windowed_by(ms.tumbling(10), idle_after=0)
    with pytest.raises(TopologyError, match=r"join_window at .*test_idle\.py:\d+: idle_after: .*soon"):
        ms.join_window(10, idle_after="soon")
