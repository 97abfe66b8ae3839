"""Session windows (W12-W16, E5, Z1), their store and their changelog (F3, F6)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import ProcessingError, TopologyError
from millstream.model import Batch, TopicPartition
from millstream.serde import STRING, Window
from millstream.state import SessionRows
from tests.driving import Driven, every, latest
from tests.engine.tasks import Plan, Row, batch_of, rows_of

KAFKA = EngineSettings(retention_rule="kafka")


def folding(windows: Any, app: ms.App | None = None, settings: EngineSettings | None = None) -> Driven:
    app = app or every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(windows)
    grouped.aggregate(
        initializer=lambda: "",
        aggregator=lambda v, total: total + ("." if v is None else v),
        merger=lambda first, then: first + then,
        value=str,
        store="s",
    ).to_stream().to("out")
    return Driven(app, settings)


def test_sessions_grow_and_merge() -> None:  # W12, W13, W15
    run = folding(ms.session(10, grace=5))
    assert run.says("in a x 100", "in a y 100") == ["a[100,100]=x@100", "a[100,100]=xy@100"]
    assert run.says("in a z 110") == ["a[100,100]=null@100", "a[100,110]=xyz@110"]
    assert run.says("in a q 105") == ["a[100,110]=null@110", "a[100,110]=xyzq@110"]
    assert run.says("in a r 121") == ["a[121,121]=r@121"]
    assert run.says("in a m 115") == ["a[100,110]=null@110", "a[121,121]=null@121", "a[100,121]=xyzqrm@121"]
    assert run.says("in b . 136", "in a L 121") == [
        "b[136,136]=.@136",
        "a[100,121]=null@121",
        "a[100,121]=xyzqrmL@121",
    ]


def test_late_is_what_lies_further_back_than_gap_and_grace() -> None:  # W14
    run = folding(ms.session(10, grace=5))
    assert run.says("in a x 100", "in b . 116", "in c late 100") == ["a[100,100]=x@100", "b[116,116]=.@116"]
    assert run.driver.metrics.late == 1
    assert run.says("in a old 92", "in a y 110") == ["a[100,100]=null@100", "a[100,110]=xy@110"]


def test_null_keys_move_nothing_and_null_values_count() -> None:  # W12
    run = folding(ms.session(10))
    assert run.says("in - x 500", "in a - 1") == ["a[1,1]=.@1"]


def test_reduce_and_count() -> None:  # W16
    app = every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(ms.session(5))
    grouped.reduce(lambda a, b: a + b).to_stream().to("out")
    grouped.count().to_stream().to("n")
    run = Driven(app)
    assert run.says("in a x 1", "in a y 4") == ["a[1,1]=x@1", "a[1,1]=null@1", "a[1,4]=xy@4"]
    assert run.out("n") == ["a[1,1]=1@1", "a[1,1]=null@1", "a[1,4]=2@4"]


def test_declared_aggregates_merge() -> None:
    app = every()
    grouped = app.stream("in", value=dict[str, int]).group_by_key().windowed_by(ms.session(5))
    made = grouped.aggregate(n=ms.count(), mean=ms.mean("v"), low=ms.min("v"), high=ms.max("v"), one=ms.first("v"))
    made.to_stream().filter(lambda v: v is not None).map_values(
        lambda r: [r.n, r.mean, r.low, r.high, r.one], value=list[float]
    ).to("out")
    run = Driven(app)
    for value, timestamp in ((4, 0), (8, 10), (3, 5)):
        run.driver.pipe("in", {"v": value}, key="a", timestamp=timestamp)
    assert run.driver.read("out")[-1].value == [3, 5, 3, 8, 4]


def test_the_latest_of_a_round_shows_no_needless_tombstone() -> None:  # E4, E5
    run = folding(ms.session(10), latest())
    assert run.says("in a x 100", "in a y 110") == ["a[100,100]=x@100", "a[100,100]=null@100", "a[100,110]=xy@110"]
    assert run.says("in a z 105") == ["a[100,110]=xyz@110"]


def rounds(app: ms.App) -> Callable[..., list[str]]:
    """Rounds of several records each; what a round put out."""
    task, outbox = Plan(app, {"in": 1, "out": 1}).only_task()
    first = 0

    def ran(*records: tuple[str, str, int]) -> list[str]:
        nonlocal first
        rows = [Row(key.encode(), value.encode(), timestamp) for key, value, timestamp in records]
        task.add(batch_of(TopicPartition("in", 0), rows, first))
        first += len(rows)
        task.process(max_rows=100, up_to_ms=None, wall_ms=0)
        task.end_round()
        task.changelog()
        put_out = [row for batch in outbox.drain() for row in rows_of(batch)]
        return [_told(row) for row in put_out]

    return ran


def _told(row: Row) -> str:
    assert row.key is not None
    (end, start), key = struct.unpack(">qq", row.key[-16:]), row.key[:-16].decode()
    return f"{key}[{start},{end}]={'null' if row.value is None else row.value.decode()}@{row.timestamp}"


def reduced(gap: int) -> ms.App:
    app = latest()
    app.stream("in", value=str).group_by_key().windowed_by(ms.session(gap)).reduce(lambda a, b: a + b).to_stream().to(
        "out"
    )
    return app


def test_a_session_costs_one_delete_and_one_update_in_a_round() -> None:  # E4, E5
    ran = rounds(reduced(10))
    assert ran(("a", "x", 100), ("b", "p", 101), ("a", "y", 105)) == ["b[101,101]=p@101", "a[100,105]=xy@105"]
    assert ran(("a", "z", 110), ("a", "z", 115), ("a", "z", 120)) == ["a[100,105]=null@105", "a[100,120]=xyzzz@120"]
    assert ran(("a", "q", 135), ("a", "r", 136)) == ["a[135,136]=qr@136"]
    assert ran(("a", "m", 128), ("a", "n", 130)) == [
        "a[100,120]=null@120",
        "a[135,136]=null@136",
        "a[100,136]=xyzzzqrmn@136",
    ]
    assert ran(("a", "s", 133)) == ["a[100,136]=xyzzzqrmns@136"]


def test_what_is_left_of_a_round_that_failed_is_passed_on_with_the_next() -> None:
    app, fails = latest(), [True]

    def shown(value: str) -> str:
        if value == "bad" and fails.pop():
            raise ValueError("not yet")
        return value

    counts = app.stream("in", value=str).group_by_key().windowed_by(ms.session(10)).reduce(lambda _a, b: b)
    counts.to_stream().filter(lambda value: value is not None).map_values(shown).to("out")
    ran = rounds(app)
    with pytest.raises(ProcessingError, match="not yet"):
        ran(("a", "x", 100), ("b", "bad", 100), ("c", "z", 100))
    fails.append(False)
    assert ran(("d", "w", 101)) == [
        "a[100,100]=x@100",
        "b[100,100]=bad@100",
        "c[100,100]=z@100",
        "d[101,101]=w@101",
    ]


def test_session_keys_in_a_sink_and_in_the_changelog() -> None:  # F3, F6, F17
    run = folding(ms.session(10))
    run.pipe("in a x 13", "in a y 20")
    session = bytes.fromhex("61 0000000000000014 000000000000000d")
    assert run.driver.read_bytes("out")[-1][0] == session
    assert [(list(batch.keys), list(batch.values)) for batch in run.driver.changelog] == [
        ([bytes.fromhex("61 000000000000000d 000000000000000d")], [b"x"]),
        ([bytes.fromhex("61 000000000000000d 000000000000000d"), session], [None, b"xy"]),
    ]


def rows() -> SessionRows:
    return SessionRows("s", (STRING, STRING), 100)


def test_what_the_changelog_never_had_is_not_deleted_from_it() -> None:
    store = rows()
    merged: list[Any] = []
    for end in (10, 11, 12):
        merged = [store.put("a", Window(10, end), f"v{end}", end, merged)]
    changes = store.take_changes()
    assert (len(changes), list(changes.values)) == (1, [b"v12"])


def test_a_restored_store_has_the_same_sessions() -> None:
    store = rows()
    first = store.put("a", Window(1, 1), "x", 1, [])
    store.put("b", Window(2, 2), "z", 2, [])
    changes = [store.take_changes()]
    store.put("a", Window(1, 5), "xy", 5, [first])
    changes.append(store.take_changes())
    restored = rows()
    for each in changes:
        size = len(each)
        restored.restore(
            Batch(TopicPartition("log", 0), range(size), each.timestamps, each.keys, each.values, None, size)
        )
    shown = [[(s.key, s.start, s.end, s.value) for s in one.all()] for one in (store, restored)]
    assert shown[0] == [("a", 1, 5, "xy"), ("b", 2, 2, "z")]
    assert sorted(shown[1]) == shown[0]
    assert len(restored.take_changes()) == 0


def test_kafkas_rule_forgets_what_a_record_could_still_join() -> None:  # W20, Z1
    inputs = ("in a x 100", "in b . 115", "in a y 110")
    assert folding(ms.session(10, grace=5)).says(*inputs)[-1] == "a[100,110]=xy@110"
    assert folding(ms.session(10, grace=5), settings=KAFKA).says(*inputs)[-1] == "a[110,110]=y@110"


def test_old_sessions_are_forgotten() -> None:
    run = folding(ms.session(5))
    run.pipe(*(f"in k{t} x {t}" for t in range(0, 600, 3)))
    store: Any = run.driver.rows("s")
    assert len(store) < 10


def test_what_closed_long_ago_stays_as_it_is() -> None:  # W13, W14
    """A record that is late by itself joins the open session beside it, and an older one as long as that is kept."""
    records = ("in a x 100", *(f"in a . {t}" for t in range(115, 200, 5)), "in a m 108")
    assert folding(ms.session(10)).says(*records)[-1] == "a[108,195]=" + "." * 17 + "m@195"
    app = every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(ms.session(10), retention="1s")
    grouped.reduce(lambda a, b: a + b).to_stream().to("out")
    assert Driven(app).says(*records)[-1] == "a[100,195]=x" + "." * 17 + "m@195"
    soon = ("in a x 100", "in a . 115", "in a . 120", "in a m 108")
    assert folding(ms.session(10)).says(*soon)[-1] == "a[100,120]=x..m@120"


def test_sessions_by_hand_need_a_merger_and_others_take_none() -> None:
    grouped = every().stream("in", value=str).group_by_key()
    with pytest.raises(TopologyError, match="give merger="):
        grouped.windowed_by(ms.session(5)).aggregate(initializer=str, aggregator=lambda v, a: a + v)
    with pytest.raises(TopologyError, match="merger= is for sessions"):
        grouped.windowed_by(ms.tumbling(5)).aggregate(
            initializer=str, aggregator=lambda v, a: a + v, merger=lambda a, b: a + b
        )
    with pytest.raises(TopologyError, match="the gap must not be negative"):
        ms.session(-1)


def test_a_stream_joined_with_a_session_table() -> None:
    app = every()
    stream = app.stream("in", value=str)
    counts = stream.group_by_key().windowed_by(ms.session(5)).count()
    texts = stream.group_by_key().windowed_by(ms.session(5)).reduce(lambda a, b: a + b)
    texts.to_stream().filter(lambda t: t is not None).join(counts, lambda text, n: f"{text}{n}").to("out", value=str)
    assert Driven(app).says("in a x 1", "in a y 2") == ["a[1,1]=x1@1", "a[1,2]=xy2@2"]


def test_groups_of_one_store_keep_what_the_slower_one_needs() -> None:  # A5, T5, Z1
    app = every()
    ahead, behind = (app.stream(topic, value=str).group_by_key() for topic in ("ahead", "behind"))
    both = ahead.cogroup(lambda v, total: total + v).cogroup(behind, lambda v, total: total + v)
    table = both.windowed_by(ms.session(5)).aggregate(str, merger=lambda a, b: a + b, value=str)
    table.to_stream().to("out")
    run = Driven(app)
    run.pipe("behind a x 10", "ahead b . 500", "ahead b . 600")
    assert run.says("behind a y 12")[-1] == "a[10,12]=xy@12"
