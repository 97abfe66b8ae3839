"""The stores that processors see: of all kinds, declared or a table's (P7, P9, W20, K15, K16)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import millstream as ms
from millstream.errors import StateError
from millstream.plan.internal import TaskSpec
from millstream.serde import Window, Windowed
from tests.driving import Driven, every
from tests.engine.tasks import Log, Plan, Row, batch_of

Run = Callable[[Any, ms.Message], object]


class With:
    """A processor that does something with its store for each record and forwards what comes of it."""

    def __init__(self, store: str, run: Run) -> None:
        self.store, self.run = store, run

    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.kept = context, context.get_state_store(self.store)

    def process(self, record: ms.Message) -> None:
        self.context.forward(record.with_value(repr(self.run(self.kept, record))))


@pytest.fixture(params=["memory", "rocksdb"], autouse=True)
def kept_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every driver of this module keeps its stores there, and is closed."""
    opened: list[Driven] = []

    class Kept(Driven):
        def __init__(self, app: ms.App) -> None:
            super().__init__(app, store=request.param, cache=100)
            opened.append(self)

    monkeypatch.setattr(sys.modules[__name__], "Driven", Kept)
    yield request.param
    for each in opened:
        each.driver.close()


def driven(store: Any, run: Run) -> Driven:
    app = every()
    app.stream("in", value=str).process(lambda: With(store.name, run), stores=[store], value=str).to("out")
    return Driven(app)


def opened(store: Any) -> Any:
    """The store as a processor has it, to be used from outside."""
    kept: list[Any] = []
    run = driven(store, lambda store, _record: kept.append(store))
    run.pipe("in k v 5")
    return kept[0]


# --- key-value


def test_ranges_are_in_the_order_of_bytes() -> None:  # P9
    store = opened(ms.key_value_store("s", value=int))
    store.put_all([("b", 1), ("a", 2), ("c", 3), ("aa", 4), ("ä", 5)])
    assert [key for key, _ in store.range("a", "b")] == ["a", "aa", "b"]
    assert [key for key, _ in store.range(None, "aa")] == ["a", "aa"]
    assert [key for key, _ in store.range("aa", None, reverse=True)] == ["ä", "c", "b", "aa"]
    assert [key for key, _ in store.prefix("a")] == ["a", "aa"]
    assert list(store.range("b", "a")) == []
    assert [key for key, _ in store.all(reverse=True)] == ["ä", "c", "b", "aa", "a"]


def test_an_iteration_shows_what_was_there_when_it_began() -> None:  # P9
    store = opened(ms.key_value_store("s", value=int))
    store.put_all([("a", 1), ("b", 2)])
    seen = []
    for key, _ in store.all():
        seen.append(key)
        store.delete(key)
        store.put(key + "x", 3)
    assert seen == ["a", "b"]
    assert [key for key, _ in store.all()] == ["ax", "bx"]


def test_timestamps_are_the_records_unless_given() -> None:  # P9, F1
    store = opened(ms.key_value_store("s", value=int, timestamped=True))
    store.put("a", 1)
    store.put("b", 2, timestamp=99)
    assert store.get_with_timestamp("a") == ms.Timestamped(1, 5)
    assert store.get_with_timestamp("b") == ms.Timestamped(2, 99)
    assert store.get_with_timestamp("x") is None
    assert (store.put_if_absent("a", 7), store.put_if_absent("c", 8), store.get("c")) == (1, None, 8)
    assert (store.delete("a"), store.delete("a")) == (1, None)


@pytest.mark.parametrize("store", [ms.key_value_store("s"), ms.window_store("s", 10, retention=10)])
def test_a_null_key_is_refused(store: Any) -> None:
    kept = opened(store)
    with pytest.raises(ValueError, match="store 's': a key must not be None"):
        kept.put(None, 1, *([0] if isinstance(kept, ms.WindowStore) else []))


# --- windows and sessions


def test_window_store() -> None:  # P9
    store = opened(ms.window_store("w", 10, retention=100, value=int))
    for key, value, start in (("b", 1, 20), ("a", 2, 20), ("a", 3, 0), ("a", 4, 25), ("c", 5, 70)):
        store.put(key, value, start)
    assert (store.fetch("a", 20), store.fetch("a", 21)) == (2, None)
    assert list(store.fetch("a", 0, 20)) == [(0, 3), (20, 2)]
    assert list(store.fetch("a", None, None, reverse=True)) == [(25, 4), (20, 2), (0, 3)]
    assert told(store.fetch_all(20, 25)) == ["a[20,30]=2", "b[20,30]=1", "a[25,35]=4"]
    assert told(store.fetch_range("b", None)) == ["b[20,30]=1", "c[70,80]=5"]
    assert told(store.all(reverse=True)) == ["c[70,80]=5", "a[25,35]=4", "b[20,30]=1", "a[20,30]=2", "a[0,10]=3"]
    store.put("a", None, 20)
    assert list(store.fetch("a", 0, 30)) == [(0, 3), (25, 4)]
    assert store.fetch_with_timestamp("a", 25) == ms.Timestamped(4, 5)


def test_windows_are_forgotten_after_their_retention() -> None:  # W20
    store = opened(ms.window_store("w", 10, retention=50, value=int))
    store.put("a", 1, 0)
    store.put("a", 2, 1)
    store.put("b", 3, 50)
    assert [start for start, _ in store.fetch("a", 0, 99)] == [1], "start <= 50 - 50 is gone"
    store.put("a", 4, 0)
    assert store.fetch("a", 0) is None


def test_session_store_of_overlapping_sessions() -> None:  # P9
    store = opened(ms.session_store("s", retention=100, value=int))
    bounds = [(0, 50), (10, 20), (15, 20), (30, 60), (55, 58)]
    for number, (start, end) in enumerate(bounds):
        store.put(Windowed("a", Window(start, end)), number)
    store.put(Windowed("b", Window(0, 9)), 9)
    for earliest, latest in ((0, 99), (20, 12), (21, 30), (59, 40), (0, 0)):
        expected = sorted((end, start) for start, end in bounds if end >= earliest and start <= latest)
        found = [(key.window.end, key.window.start) for key, _ in store.find_sessions("a", earliest, latest)]
        assert found == expected
    assert [value for _, value in store.find_sessions("a", 20, 99, reverse=True)] == [3, 4, 0, 2, 1]
    assert store.fetch_session("a", 15, 20) == 2
    store.put(Windowed("a", Window(15, 20)), 7)
    store.remove(Windowed("a", Window(10, 20)))
    assert told(store.fetch("a")) == ["a[15,20]=7", "a[0,50]=0", "a[55,58]=4", "a[30,60]=3"]
    assert told(store.fetch_range("b", "b")) == ["b[0,9]=9"]
    assert len(list(store.all())) == 5


def test_sessions_are_forgotten_after_their_retention() -> None:  # W20
    store = opened(ms.session_store("s", retention=50, value=int))
    store.put(Windowed("a", Window(0, 10)), 1)
    store.put(Windowed("a", Window(0, 11)), 2)
    store.put(Windowed("b", Window(60, 60)), 3)
    assert [value for _, value in store.fetch("a")] == [2], "end <= 60 - 50 is gone"


def told(rows: Any) -> list[str]:
    return [f"{key.key}[{key.window.start},{key.window.end}]={value}" for key, value in rows]


# --- versions


def test_versioned_store() -> None:  # K15, K16
    store = opened(ms.versioned_store("v", history=50, value=str))
    assert store.put("a", "x", 100)
    assert not store.put("a", "too old", 49)
    assert store.put("a", "old", 50)
    assert store.put("a", None, 120)
    assert store.get("a") is None
    assert store.get("a", as_of=119) == ms.Timestamped("x", 100)
    assert store.get("a", as_of=99) == ms.Timestamped("old", 50)
    assert list(store.history("a")) == [ms.Version("old", 50, 100), ms.Version("x", 100, 120)]
    assert list(store.history("a", 100, 130, reverse=True)) == [ms.Version("x", 100, 120)]
    assert list(store.history("a", 60, 99)) == [ms.Version("old", 50, 100)]
    store.put("b", "newest", 160)
    assert list(store.history("a")) == [ms.Version("x", 100, 120)], "what had ended by 160 - 50 is not known any more"
    assert store.delete("a", 110) == ms.Timestamped("x", 100)
    assert store.get("a", as_of=115) is None


# --- changelogs


def fill(kept: Any, record: ms.Message) -> None:
    """Something of every kind of store."""
    number = record.timestamp
    match kept:
        case ms.WindowStore():
            kept.put(record.key, None if number % 5 == 4 else number, number % 7)
        case ms.SessionStore():
            at = number % 7
            kept.put(Windowed(record.key, Window(at, at + number % 3)), None if number % 5 == 4 else number)
        case ms.VersionedStore():
            kept.put(record.key, None if number % 5 == 4 else number, number)
        case _:
            kept.put(record.key, None if number % 5 == 4 else number)


def contents(kept: Any) -> list[Any]:
    if isinstance(kept, ms.VersionedStore):
        return [list(kept.history(key)) for key in "abc"]
    return list(kept.all())


@pytest.mark.parametrize(
    "store",
    [
        ms.key_value_store("s", value=int),
        ms.key_value_store("s", value=int, timestamped=True),
        ms.window_store("s", 10, retention=20, value=int),
        ms.window_store("s", 10, retention=20, value=int, timestamped=True),
        ms.session_store("s", retention=20, value=int),
        ms.versioned_store("s", history=20, value=int),
    ],
    ids=lambda store: store.kind,
)
def test_what_is_restored_is_what_was_there(store: Any) -> None:  # F1, F2, F3, F7
    kept: list[Any] = []

    class Filling(With):
        def init(self, context: ms.ProcessorContext) -> None:
            super().init(context)
            kept.append(self.kept)

    app = every()
    app.stream("in", value=str).process(lambda: Filling("s", fill), stores=[store], value=str).to("out")
    plan = Plan(app, {"in": 1, "out": 1})
    (spec,) = plan.resolved.tasks
    changelog = run_through(plan, spec)
    task = plan.task(spec, plan.outbox())
    for target, rows in changelog.written.items():
        task.restore(target, batch_of(target, rows))
    task.start()
    assert contents(kept[0])
    assert contents(kept[1]) == contents(kept[0])
    assert not task.changelog()


def run_through(plan: Plan, spec: TaskSpec) -> Log:
    outbox, changelog = plan.outbox(), Log()
    task = plan.task(spec, outbox)
    task.start()
    rows = [Row(b"abc"[n % 3 : n % 3 + 1], b"v", n) for n in range(40)]
    for first in range(0, 40, 8):
        task.add(batch_of(spec.inputs[0], rows[first : first + 8], first))
        while task.process(max_rows=3, up_to_ms=None, wall_ms=0):
            task.end_round()
        changelog.add(task.changelog())
    return changelog


def test_an_unlogged_store_has_no_changelog() -> None:  # P9
    store = ms.window_store("s", 10, retention=20, value=int, logged=False)
    app = every()
    app.stream("in", value=str).process(lambda: With("s", fill), stores=[store], value=str).to("out")
    plan = Plan(app, {"in": 1, "out": 1})
    assert [topic.name for topic in plan.resolved.topics] == []
    (spec,) = plan.resolved.tasks
    assert run_through(plan, spec).written == {}
    run = Driven(app)
    run.pipe(*(f"in a v {time}" for time in range(40)))
    assert len(run.driver.store("s")) > 0
    assert run.driver.changelog == []


# --- tables' stores


class Totals(ms.Record):
    n: int
    mean: float


def looking(app: ms.App, store: str, run: Run) -> None:
    app.stream("look", value=str).process(lambda: With(store, run), stores=[store], value=str).to("out")


def test_an_aggregate_is_read_as_it_is_shown() -> None:  # P7, P9
    app = every()
    group = app.stream("in", value=int).group_by_key()
    group.aggregate(Totals, n=ms.count(), mean=ms.mean(lambda v: v), store="totals")
    looking(app, "totals", lambda store, record: (store.get(record.key), store.timestamp(record.key)))
    run = Driven(app)
    run.driver.pipe("in", 3, key="a", timestamp=7)
    run.driver.pipe("in", 6, key="a", timestamp=2)
    assert run.says("look a x 9") == ["a=(Totals(n=2, mean=4.5), 7)@9"]


def test_a_tables_store_is_read_and_not_written() -> None:  # P7
    app = every()
    app.table("t", value=str, store="rows")
    looking(app, "rows", lambda store, record: store.get(record.key))
    looking_at = Driven(app)
    assert looking_at.says("t a one 5", "look a x 1") == ["a='one'@1"]

    app = every()
    app.table("t", value=str, store="rows")
    looking(app, "rows", lambda store, record: store.put(record.key, "mine"))
    with pytest.raises(StateError, match=r"this store is read-only, because table at .*test_processor_stores"):
        Driven(app).pipe("look a x 1")


def test_windows_sessions_and_versions_of_tables() -> None:  # P7, P9
    app = every()
    group = app.stream("in", value=str).group_by_key()
    group.windowed_by(ms.tumbling(10, grace=20)).count(store="windows")
    group.windowed_by(ms.session(5)).count(store="sessions")
    app.table("t", value=str, store="versions", history=100)
    looking(app, "windows", lambda store, record: list(store.fetch(record.key, 0, 10)))
    run = Driven(app)
    assert run.says("in a x 5", "in a y 12", "look a x 20") == ["a=[(0, 1), (10, 1)]@20"]

    app = every()
    app.stream("in", value=str).group_by_key().windowed_by(ms.session(5, grace=20)).count(store="sessions")
    looking(app, "sessions", lambda store, record: told(store.fetch(record.key)))
    assert Driven(app).says("in a x 5", "in a y 12", "in a z 8", "look a x 20") == ["a=['a[5,12]=3']@20"]

    app = every()
    app.table("t", value=str, store="versions", history=100)
    looking(app, "versions", lambda store, record: store.get(record.key, as_of=record.timestamp).value)
    assert Driven(app).says("t a one 5", "t a two 15", "look a x 10") == ["a='one'@10"]


def test_a_supplier_brings_its_stores() -> None:  # P7
    class Counting:
        stores = [ms.key_value_store("counts", value=int)]

        def init(self, context: ms.ProcessorContext) -> None:
            self.context, self.counts = context, context.get_state_store("counts")

        def process(self, record: ms.Message) -> None:
            self.counts.put(record.key, (self.counts.get(record.key) or 0) + 1)
            self.context.forward(record.with_value(self.counts.get(record.key)))

    app = every()
    app.stream("in", value=str).process(Counting, value=int).to("out")
    assert Driven(app).says("in a x 1", "in a y 2") == ["a=1@1", "a=2@2"]
