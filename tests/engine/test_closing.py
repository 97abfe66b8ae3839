"""Windows emitted on their close (E7-E9), and the close times kept with the offsets (F15)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.engine.metadata import read_metadata, written_metadata
from millstream.errors import TopologyError
from millstream.model import TopicPartition
from tests.driving import Driven, every
from tests.engine.tasks import Plan, Row, batch_of, rows_of


def closing(windows: Any, settings: EngineSettings | None = None) -> Driven:
    app = every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(windows).emit_on_close()
    grouped.reduce(lambda a, b: a + b, store="w").to_stream().to("out")
    return Driven(app, settings)


def test_tumbling() -> None:  # E7, E8
    run = closing(ms.tumbling(10, grace=5))
    assert run.says("in a x 3", "in b y 9", "in a z 14", "in a w 1") == []
    assert run.says("in c q 15") == ["a[0,10]=xw@3", "b[0,10]=y@9"]
    assert run.says("in - n 30") == []
    assert run.says("in d t 26") == ["a[10,20]=z@14", "c[10,20]=q@15"]


def test_sliding() -> None:  # E7
    run = closing(ms.sliding(10))
    assert run.says("in b x 100") == []
    assert run.says("in a y 105") == ["b[90,100]=x@100"]
    assert run.says("in b z 110") == ["a[95,105]=y@105"]
    assert run.says("in a z 111") == ["b[100,110]=xz@110"]
    assert run.says("in c z 140") == ["a[101,111]=yz@111", "b[101,111]=z@110", "a[106,116]=z@111"]


def test_sessions() -> None:  # E7, E8
    run = closing(ms.session(10))
    assert run.says("in b x 100", "in a y 105", "in b z 110", "in c z 115") == []
    assert run.says("in c z 116") == ["a[105,105]=y@105"]
    assert run.says("in c q 121") == ["b[100,110]=xz@110"]


def test_a_jump_of_time_loses_windows_by_kafkas_rule_alone() -> None:  # Z1
    inputs = ("in a x 12", "in c y 30")
    assert closing(ms.tumbling(10, grace=5)).says(*inputs) == ["a[10,20]=x@12"]
    assert closing(ms.tumbling(10, grace=5), EngineSettings(retention_rule="kafka")).says(*inputs) == []


def test_a_longer_retention_keeps_them_by_kafkas_rule_too() -> None:  # W20
    app = every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10, grace=5), retention=100)
    grouped.emit_strategy("window_close").count().to_stream().to("out")
    run = Driven(app, EngineSettings(retention_rule="kafka"))
    assert run.says("in a x 12", "in c y 30") == ["a[10,20]=1@12"]


def test_by_wall_clock_no_more_often_than_the_interval() -> None:  # E9
    run = closing(ms.tumbling(10), EngineSettings(emit_interval_ms=1000))
    assert run.says("in a x 1", "in a y 12") == []
    run.driver.advance_wall_clock(1000)
    assert run.says("in a z 13") == ["a[0,10]=x@1"]


@pytest.mark.parametrize("windows", [ms.tumbling(10), ms.sliding(9), ms.session(9)])
def test_nothing_is_emitted_twice_after_a_restart(windows: Any) -> None:  # E9, F15
    app = every()
    app.stream("in", value=str).group_by_key().windowed_by(windows).emit_on_close().count().to_stream().to("out")
    plan = Plan(app, {"in": 1, "out": 1})
    source = TopicPartition("in", 0)
    (spec,) = plan.resolved.tasks
    rows = [Row(b"a", b"x", 21), Row(b"b", b"y", 25), Row(b"c", b"z", 50), Row(b"d", b"w", 90)]
    task, outbox = plan.only_task()
    task.add(batch_of(source, rows[:3]))
    task.caught_up(source, 3)
    task.process(max_rows=10, up_to_ms=None, wall_ms=0)
    before = [row for batch in outbox.drain() for row in rows_of(batch)]
    assert before
    again, outbox = plan.task(spec, plan.outbox()), plan.outbox()
    again = plan.task(spec, outbox)
    for batch in task.changelog():
        again.restore(batch.target, batch_of(batch.target, rows_of(batch)))
    again.resume({partition: text for partition, (_, text) in task.positions().items()})
    again.start()
    again.add(batch_of(source, rows[3:], 3))
    again.caught_up(source, 4)
    again.process(max_rows=10, up_to_ms=None, wall_ms=0)
    after = [row for batch in outbox.drain() for row in rows_of(batch)]
    assert after and not {row.key for row in after} & {row.key for row in before}
    task.close()
    again.close()


def test_metadata() -> None:  # F15
    text = written_metadata(140, {"w": 100})
    assert read_metadata(text) == (140, {"w": 100})
    assert base64.b64decode(text) == bytes.fromhex("02 000000000000008c 00000001 00000001 77 0000000000000064")
    assert read_metadata("not base64!") == (-1, {})
    assert read_metadata(base64.b64encode(b"\x02" + b"\0" * 11 + b"\x01").decode()) == (-1, {})


def test_refused() -> None:
    grouped = every().stream("in", value=str).group_by_key()
    with pytest.raises(TopologyError, match="never close"):
        grouped.windowed_by(ms.unlimited()).emit_on_close()
    with pytest.raises(TopologyError, match="call windowed_by"):
        grouped.emit_strategy("window_close")
    with pytest.raises(TopologyError, match="window_update"):
        grouped.windowed_by(ms.tumbling(5)).emit_strategy("never")  # type: ignore[arg-type]
