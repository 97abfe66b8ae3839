"""Stores read from outside, over two workers, on both brokers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import millstream as ms
from millstream.errors import QueryError
from millstream.model import TopicPartition
from millstream.serde.murmur2 import partition_for
from tests.client.brokers import bootstrap, client, embedded_bootstrap, new_topic, unique
from tests.client.until import until
from tests.ports import free_port
from tests.runtime.running import EVENT_TIME, write

__all__ = ["bootstrap", "client", "embedded_bootstrap", "new_topic"]

PARTITIONS = 2
KEYS = [f"k{number:02}" for number in range(20)]


def program(name: str, source: str, **settings) -> ms.App:
    app = ms.App(name, http=free_port(), commit_interval="1h", **settings)
    stream = app.stream(source, key=str, value=str)
    stream.group_by_key().count(store="counts")
    stream.group_by_key().windowed_by(ms.tumbling("10s"), retention="1h").count(store="windows")
    stream.group_by_key().windowed_by(ms.session("5s"), retention="1h").count(store="sessions")
    stream.group_by_key().reduce(max)
    return app


class Worker:
    def __init__(self, app: ms.App) -> None:
        self.app = app
        self.stop = threading.Event()
        self.thread = threading.Thread(target=app.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(60)


@contextmanager
def workers(*apps: ms.App) -> Iterator[list[Worker]]:
    """Running, with all tasks shared out."""
    started = [Worker(app) for app in apps]
    try:
        until(lambda: all(app.status().ready and len(app.status().tasks) == PARTITIONS // len(apps) for app in apps))
        yield started
    finally:
        for each in started:
            each.end()


def test_stores_are_read_wherever_their_tasks_are(client, new_topic, bootstrap, tmp_path: Path):
    """Q1-Q6: of two workers, by key, range, prefix and window; with the position; and after one of them has gone."""
    source, name = new_topic("numbers", PARTITIONS), unique("app")
    apps = [
        program(name, source, bootstrap_servers=bootstrap, state_dir=tmp_path / store, store=store)
        for store in ("memory", "rocksdb")
    ]
    rows = [(key.encode(), b"%d" % turn, EVENT_TIME + 6_000 * turn) for turn in range(3) for key in KEYS]
    with workers(*apps) as running, ms.connect(apps[0]) as app:
        write(client, source, rows, PARTITIONS)
        until(lambda: sum(each.status().records for each in apps) == len(rows))
        counts = app.store("counts")
        assert {key: counts[key] for key in KEYS} == dict.fromkeys(KEYS, 3), "of both workers, and not committed (Q6)"
        assert sorted(counts.all()) == [(key, 3) for key in KEYS]
        assert sorted(key for key, _ in counts.range("k03", "k05")) == ["k03", "k04", "k05"]
        assert sorted(key for key, _ in counts.prefix("k1")) == KEYS[10:]
        assert counts.get("none", 7) == 7
        with pytest.raises(KeyError):
            counts["none"]
        windows, start = app.store("windows"), EVENT_TIME // 10_000 * 10_000
        assert [value for _, _, value in windows.fetch("k01", start, start + 19_999)] == [2, 1]
        assert len(list(windows.fetch_all(start, start))) == len(KEYS)
        assert [(begin, end) for begin, end, _ in app.store("sessions").fetch("k01")] == [
            (EVENT_TIME + 6_000 * turn, EVENT_TIME + 6_000 * turn) for turn in range(3)
        ]
        check_places(app, apps[0], source)
        assert sorted(app.tasks().values()) == sorted(each.settings.http for each in apps), "Q3"
        running[1].end()
        assert {key: counts[key] for key in KEYS} == dict.fromkeys(KEYS, 3), "asked again until they run here (Q4)"


def check_places(app, made: ms.App, source: str) -> None:
    """Q5: what a store reflects, and that a bound which is not reached is refused."""
    counts = app.store("counts")
    number = partition_for(b"k01", PARTITIONS)
    mine = sum(partition_for(key.encode(), PARTITIONS) == number for key in KEYS)
    found = counts.look("k01")
    at = TopicPartition(source, number)
    assert (found.value, found.timestamp, found.lag) == (3, EVENT_TIME + 12_000, 0)
    assert found.position == {at: 3 * mine - 1}
    assert counts.look("k01", at_least=found.position).value == 3
    elsewhere = {TopicPartition(source, 1 - number): 10**9}
    assert counts.look("k01", at_least=elsewhere).value == 3, "a bound of other partitions is not this task's"
    with pytest.raises(QueryError, match="not yet at") as raised, ms.connect(made, wait="300ms") as hasty:
        hasty.store("counts").look("k01", at_least={at: 3 * mine})
    assert raised.value.reason == "not_up_to_bound"
    with pytest.raises(
        QueryError, match=r"there is no store 'nothing'; there are: counts, windows, sessions"
    ) as raised:
        app.store("nothing")
    assert raised.value.reason == "unknown_store"
    with pytest.raises(QueryError, match="does not know 'fetch'") as raised:
        counts.fetch("k01")
    assert raised.value.reason == "unknown_query"


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_pages_come_one_after_the_other(client, new_topic, bootstrap, tmp_path: Path, store):
    source, keys = new_topic("numbers", 1), [f"{number:04}" for number in range(2_500)]
    app = ms.App(unique("app"), http=free_port(), bootstrap_servers=bootstrap, state_dir=tmp_path, store=store)
    app.stream(source, key=str, value=str).group_by_key().count(store="counts")
    write(client, source, [(key.encode(), b"1", EVENT_TIME) for key in keys], 1)
    worker = Worker(app)
    try:
        until(lambda: app.status().records == len(keys))
        with ms.connect(app) as connected:
            counts = connected.store("counts")
            assert [key for key, _ in counts.all()] == keys
            assert [key for key, _ in counts.range("0100", "2400", reverse=True)] == keys[100:2401][::-1]
            assert json.dumps(connected.stores()) == '{"counts": "keyvalue"}'
    finally:
        worker.end()
    with pytest.raises(QueryError, match="no worker answers"), ms.connect(app, wait="100ms") as connected:
        connected.store("counts")
