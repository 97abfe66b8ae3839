"""Suppression (E11-E15) and its changelog (F9)."""

from __future__ import annotations

import json
from typing import Any

import pytest

import millstream as ms
from millstream.errors import ProcessingError, TopologyError
from millstream.model import Batch, TopicPartition
from millstream.serde import INT64, STRING
from millstream.state import Held, SuppressRows
from tests.conformance.program import build
from tests.driving import Driven, every, latest
from tests.engine.tasks import rows_of
from tests.shared import CONFORMANCE


def limited(suppression: Any) -> Driven:
    app = every()
    app.table("in", value=str).suppress(suppression).to_stream().to("out")
    return Driven(app)


def test_a_key_keeps_its_place_and_its_last_value_goes() -> None:  # E11, E12
    run = limited(ms.until_time_limit(10))
    assert run.says("in a x 100", "in b y 105", "in a z 108", "in a - 109") == []
    assert run.says("in c q 110") == ["a=null@109"]
    assert run.says("in b w 100", "in c r 115") == ["b=w@100"]


def test_no_wait() -> None:  # E12
    assert limited(ms.until_time_limit(0)).says("in a x 1", "in b y 0") == ["a=x@1", "b=y@0"]


def test_a_full_buffer_emits_early() -> None:  # E14
    run = limited(ms.until_time_limit(1000, max_records=1))
    assert run.says("in a x 100") == []
    assert run.says("in b y 90") == ["b=y@90"]
    assert run.says("in a z 101") == []
    assert run.says("in c q 50") == ["c=q@50"]


def test_bytes_are_counted_as_kafka_streams_does() -> None:  # E14
    one = 8 + 20 + len("a") + len("x") + len("in")
    assert limited(ms.until_time_limit(1000, max_bytes=one)).says("in a x 1") == []
    assert limited(ms.until_time_limit(1000, max_bytes=one - 1)).says("in a x 1") == ["a=x@1"]


def test_a_full_buffer_stops_the_application() -> None:  # E14
    run = limited(ms.until_time_limit(1000, max_records=1, when_full="shut_down"))
    run.pipe("in a x 1")
    with pytest.raises(ProcessingError, match=r"the buffer of .* is full"):
        run.pipe("in b x 1")


def windowed(windows: Any, app: ms.App | None = None) -> Driven:
    app = app or every()
    counts = app.stream("in", value=str).group_by_key().windowed_by(windows).count()
    counts.suppress(ms.until_window_closes()).to_stream().to("out")
    return Driven(app)


@pytest.mark.parametrize("app", [every, latest])
def test_until_the_window_closes(app: Any) -> None:  # E13
    run = windowed(ms.tumbling(10, grace=5), app())
    assert run.says("in a x 1", "in b x 9", "in a y 4", "in c x 14") == []
    assert run.says("in c y 15") == ["a[0,10]=2@4", "b[0,10]=1@9"]


def test_sessions_close_after_gap_and_grace_and_leave_no_tombstones() -> None:  # E13, Z3
    run = windowed(ms.session(5, grace=2))
    assert run.says("in a x 1", "in a y 3", "in b x 9") == []
    assert run.says("in b y 10") == ["a[1,3]=2@3"]


def test_old_values_are_told_as_kafka_streams_does() -> None:  # E15
    app = every()
    grouped = app.table("t", value=int).suppress(ms.until_time_limit(5)).group_by(lambda _k, v: ("all", v))
    grouped.reduce(lambda a, b: a + b, lambda a, b: a - b).to_stream().to("out")
    run = Driven(app)
    for key, value, timestamp in (("a", 1, 0), ("a", 2, 3), ("b", 10, 5), ("a", 4, 6), ("b", 20, 11)):
        run.driver.pipe("t", value, key=key, timestamp=timestamp)
    assert run.out() == ["all=2@3", "all=12@11", "all=14@11"]


@pytest.mark.shared
def test_the_changelog_has_kafkas_bytes() -> None:  # F9
    cases = json.loads((CONFORMANCE / "wire" / "wire.json").read_text())
    case = next(each for each in cases if each["name"] == "suppress")
    run = Driven(build(case))  # type: ignore[arg-type]
    for record in case["inputs"]:
        run.driver.pipe(record["topic"], record["value"], key=record["key"], timestamp=record["timestamp"])
    for topic, wanted in case["topics"].items():
        if topic.endswith("-changelog"):
            rows = [row for batch in run.driver.changelog if batch.target.topic == topic for row in rows_of(batch)]
            got = [(row.key, row.value, [[name, (text or b"").hex()] for name, text in row.headers]) for row in rows]
            expected = [(_bytes(each["key"]), _bytes(each["value"]), each.get("headers", [])) for each in wanted]
            # of one commit the keys stand in no order that means anything: in Kafka Streams they come from a hash set
            assert sorted(got, key=lambda row: row[0] or b"") == sorted(expected, key=lambda row: row[0] or b"")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def test_a_restored_buffer_holds_the_same() -> None:
    place = TopicPartition("in", 0)
    rows, restored = (SuppressRows("s", (STRING, INT64)) for _ in range(2))
    for key, time in (("b", 5), ("a", 5), ("c", 1)):
        rows.put(time, Held(key, 1, None, None, time, (("h", b"1"),), place, 7))
    rows.put(9, Held("c", 2, 1, 1, 9, (), place, 8))
    changes = rows.take_changes()
    size = len(changes)
    restored.restore(
        Batch(TopicPartition("log", 0), range(size), changes.timestamps, changes.keys, changes.values, None, size)
    )
    restored.count_bytes()
    assert restored.all() == rows.all()
    assert restored.bytes > 0
    order = []
    while restored.first_time is not None:
        order.append((restored.first_time, restored.first().key))
        restored.remove_first()
    assert order == [(1, "c"), (5, "a"), (5, "b")]
    assert restored.bytes == 0
    assert list(restored.take_changes().values) == [None, None, None]


def test_refused() -> None:
    table = every().table("in", value=str)
    with pytest.raises(TopologyError, match="windowed aggregation"):
        table.suppress(ms.until_window_closes())
    with pytest.raises(TopologyError, match=r"give ms\.until_window_closes"):
        table.suppress("10s")  # type: ignore[arg-type]
    with pytest.raises(TopologyError, match="must not be negative"):
        ms.until_time_limit(1, max_records=-1)
    with pytest.raises(TopologyError, match="when_full"):
        ms.until_time_limit(1, when_full="wait")  # type: ignore[arg-type]
