"""Stores of processors do as the simplest of models: random writes, in memory and on disk (P9, W20, K15, K16)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import millstream as ms
from millstream.serde import Window, Windowed
from millstream.testing import TestDriver
from tests.driving import every

KEYS = ("a", "b", "ab", "ä")
RETENTION = 40
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

# what to do: a key, two moments, a value (None deletes)
Write = tuple[str, int, int, int | None]
WRITES = st.lists(
    st.tuples(st.sampled_from(KEYS), st.integers(0, 100), st.integers(0, 30), st.none() | st.integers(0, 99)),
    max_size=30,
)


class Model:
    """What there is, and what the store should tell of it. `now` is the largest moment that was ever written."""

    def __init__(self) -> None:
        self.rows: dict[Any, int] = {}
        self.now = -1

    def put(self, place: Any, moment: int, value: int | None) -> None:
        self.now = max(self.now, moment)
        if value is None:
            self.rows.pop(place, None)
        else:
            self.rows[place] = value


def by_bytes(key: str) -> bytes:
    return key.encode()


def key_values(store: Any, model: Model, write: Write) -> None:
    key, first, _, value = write
    store.put(key, value)
    model.put(key, first, value)
    rows = sorted(model.rows.items(), key=lambda row: by_bytes(row[0]))
    assert list(store.all()) == rows
    assert list(store.all(reverse=True)) == rows[::-1]
    assert list(store.range("ab", None)) == [row for row in rows if by_bytes(row[0]) >= b"ab"]
    assert list(store.range(None, key)) == [row for row in rows if by_bytes(row[0]) <= by_bytes(key)]
    assert list(store.prefix("a")) == [row for row in rows if row[0].startswith("a")]
    assert store.get(key) == value


def windows(store: Any, model: Model, write: Write) -> None:
    """Windows that start RETENTION before the newest start, or earlier, are neither kept nor shown."""
    key, start, reach, value = write
    store.put(key, value, start)
    model.put((start, key), start, value)
    model.rows = {place: kept for place, kept in model.rows.items() if place[0] > model.now - RETENTION}
    rows = sorted(model.rows.items(), key=lambda row: (row[0][0], by_bytes(row[0][1])))
    shown = [(Windowed(each, Window(at, at + 10)), kept) for (at, each), kept in rows]
    assert list(store.all()) == shown
    assert list(store.fetch_range("ab", None, start, None, reverse=True)) == [
        row for row in shown[::-1] if by_bytes(row[0].key) >= b"ab" and row[0].window.start >= start
    ]
    mine = [(at, kept) for (at, each), kept in rows if each == key and start - reach <= at <= start + reach]
    assert list(store.fetch(key, start - reach, start + reach)) == mine
    assert list(store.fetch(key, start - reach, start + reach, reverse=True)) == mine[::-1]
    assert store.fetch(key, start) == model.rows.get((start, key))


def sessions(store: Any, model: Model, write: Write) -> None:
    """Sessions that end RETENTION before the latest end, or earlier, are neither kept nor shown. They may overlap."""
    key, start, length, value = write
    end = start + length
    store.put(Windowed(key, Window(start, end)), value)
    model.put((key, end, start), end, value)
    model.rows = {place: kept for place, kept in model.rows.items() if place[1] > model.now - RETENTION}
    rows = sorted(model.rows.items(), key=lambda row: (by_bytes(row[0][0]), row[0][1:]))
    shown = [(Windowed(each, Window(first, last)), kept) for (each, last, first), kept in rows]
    assert list(store.all()) == shown
    mine = [row for row in shown if row[0].key == key]
    assert list(store.fetch(key, reverse=True)) == mine[::-1]
    near = [row for row in mine if row[0].window.end >= start and row[0].window.start <= end]
    assert list(store.find_sessions(key, start, end)) == near
    assert store.fetch_session(key, start, end) == model.rows.get((key, end, start))


def versions(store: Any, model: Model, write: Write) -> None:
    """Versions older than the history are refused; from before it only the latest is known."""
    key, at, reach, value = write
    refused = at < model.now - RETENTION
    assert store.put(key, value, at) is not refused
    if not refused:
        model.now = max(model.now, at)
        model.rows[key, at] = value  # type: ignore[assignment]  # deletes are versions too
    for each in KEYS:
        known = sorted((time, kept) for (mine, time), kept in model.rows.items() if mine == each)
        begin = model.now - RETENTION
        ended = [number for number, (time, _) in enumerate(known) if time <= begin]
        known = known[ended[-1] :] if ended else known
        latest = known[-1] if known else (0, None)
        assert store.get(each) == (None if latest[1] is None else ms.Timestamped(latest[1], latest[0]))
        asked = at - reach
        held = [version for version in known if version[0] <= asked]
        found = held[-1] if held and (asked >= begin or held[-1] == latest) else (0, None)
        assert store.get(each, as_of=asked) == (None if found[1] is None else ms.Timestamped(found[1], found[0]))
        ends = [*(time for time, _ in known[1:]), None][: len(known)]
        told = [ms.Version(kept, time, end) for (time, kept), end in zip(known, ends, strict=True) if kept is not None]
        assert list(store.history(each)) == told


STORES: dict[str, tuple[Any, Callable[[Any, Model, Write], None]]] = {
    "key-value": (ms.key_value_store("s", value=int), key_values),
    "window": (ms.window_store("s", 10, retention=RETENTION, value=int), windows),
    "session": (ms.session_store("s", retention=RETENTION, value=int), sessions),
    "versioned": (ms.versioned_store("s", history=RETENTION, value=int), versions),
}


@pytest.mark.parametrize("where", ["memory", "rocksdb"])
@pytest.mark.parametrize("kind", STORES)
@QUICK
@given(writes=WRITES, together=st.integers(1, 5))
def test_as_the_model(kind: str, where: Any, writes: list[Write], together: int) -> None:
    check(kind, where, writes, together)


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("where", ["memory", "rocksdb"])
@pytest.mark.parametrize("kind", STORES)
@settings(QUICK, max_examples=1_000)
@given(writes=WRITES, together=st.integers(1, 5))
def test_as_the_model_at_length(kind: str, where: Any, writes: list[Write], together: int) -> None:
    check(kind, where, writes, together)


def check(kind: str, where: Any, writes: list[Write], together: int) -> None:
    """Some writes at a time, then a commit: what is read may be in memory, on disk, or both."""
    spec, do = STORES[kind]
    model = Model()

    class Doing:
        def init(self, context: ms.ProcessorContext) -> None:
            self.store = context.get_state_store("s")

        def process(self, record: ms.Message) -> None:
            for write in record.value:
                do(self.store, model, tuple(write))

    app = every()
    app.stream("in").process(Doing, stores=[spec])
    with TestDriver(app, store=where, cache=200) as driver:
        for first in range(0, len(writes), together):
            driver.pipe_bytes("in", json.dumps(writes[first : first + together]).encode(), key=b"k", timestamp=first)
