"""Stores on disk across restarts: what is restored, what is set aside, and who may have a folder (X6, X7, X9)."""

from __future__ import annotations

import logging
import resource
from collections import Counter
from pathlib import Path

import pytest
from tests.client.brokers import unique
from tests.runtime.running import EVENT_TIME, latest, read_all, running, write

from millstream.app import App
from millstream.errors import StateError
from millstream.plan.internal import TaskId, changelog_topic
from millstream.runtime.local_state import LocalState, allow_files
from millstream.serde.scalars import INT64
from millstream.state.folder import TaskFolder
from millstream.state.rocksdb import RocksMemory, RocksTaskDisk

WORDS = [f"w{i % 13}" for i in range(300)]


def counting(source: str, sink: str, name: str, folder: Path, **settings) -> App:
    given = {"commit_interval": "100ms", "store": "rocksdb", "cache": 0, "state_dir": folder, "emit": "every"}
    app = App(name, **given | settings)
    app.stream(source, key=str, value=str).group_by_key().count(store="counts").to_stream().to(sink)
    return app


def lines(words: list[str]) -> list[tuple[bytes | None, bytes, int]]:
    return [(word.encode(), b"x", EVENT_TIME + i) for i, word in enumerate(words)]


def counts(rows) -> dict[str, int]:
    return {key.decode(): INT64.decode(value) for key, value in latest(rows).items()}


def run_through(app: App, client, records: int) -> None:
    with running(app, client) as worker:
        worker.until(lambda status: status.ready and status.records == records)
        worker.stop()


def checkpoint(folder: TaskFolder) -> dict[str, int]:
    disk = RocksTaskDisk(folder.database, ["counts"], RocksMemory(2_000_000))
    found = dict(disk.offsets())
    disk.close()
    return found


class Place:
    """An application with one task, its topics, and its folder on disk."""

    def __init__(self, new_topic, tmp_path: Path) -> None:
        self.source, self.sink, self.name = new_topic("in", 1), new_topic("out", 1), unique("app")
        self.tmp_path = tmp_path
        self.app = counting(self.source, self.sink, self.name, tmp_path)
        self.folder = LocalState(self.app.settings).folder(TaskId(0, 0))
        self.changelog = changelog_topic(self.name, "counts")


@pytest.fixture
def place(new_topic, tmp_path: Path) -> Place:
    return Place(new_topic, tmp_path)


def test_a_restarted_worker_restores_only_what_its_files_lack(client, place, caplog):
    caplog.set_level(logging.INFO, "millstream.runtime")
    write(client, place.source, lines(WORDS[:200]), 1)
    run_through(place.app, client, 200)
    logged = len(read_all(client, place.changelog, 1))
    assert checkpoint(place.folder) == {"counts": logged}, "the end of the changelog, found by counting"
    write(client, place.source, lines(WORDS[200:]), 1)
    caplog.clear()
    run_through(place.app, client, 100)
    assert "restoring" not in caplog.text
    assert counts(read_all(client, place.sink, 1)) == Counter(WORDS)


def test_without_its_files_it_restores_from_the_changelog(client, place, caplog):
    caplog.set_level(logging.INFO, "millstream.runtime")
    write(client, place.source, lines(WORDS[:200]), 1)
    run_through(place.app, client, 200)
    write(client, place.source, lines(WORDS[200:]), 1)
    elsewhere = counting(place.source, place.sink, place.name, place.tmp_path / "elsewhere")
    caplog.clear()
    run_through(elsewhere, client, 100)
    assert "restored from" in caplog.text
    assert counts(read_all(client, place.sink, 1)) == Counter(WORDS)


@pytest.mark.parametrize("offset", [100_000, None])
def test_files_that_do_not_fit_the_changelog_are_set_aside(client, place, caplog, offset):
    write(client, place.source, lines(WORDS[:200]), 1)
    run_through(place.app, client, 200)
    if offset is None:
        (place.folder.database / "CURRENT").write_text("broken\n")
        reason = "cannot be opened"
    else:
        disk = RocksTaskDisk(place.folder.database, ["counts"], RocksMemory(2_000_000))
        batch = disk.batch()
        batch.offset("counts", offset)
        disk.write(batch)
        del batch
        disk.close()
        reason = f"up to offset {offset}, but it ends at"
    write(client, place.source, lines(WORDS[200:]), 1)
    run_through(place.app, client, 100)
    assert reason in caplog.text
    assert (place.folder.path / "db.aside-1").is_dir(), "nothing is deleted"
    assert counts(read_all(client, place.sink, 1)) == Counter(WORDS)


def test_files_of_a_changelog_that_was_made_anew_are_set_aside(client, place, caplog):
    """Its offsets may have come beyond those of the files."""
    write(client, place.source, lines(WORDS[:200]), 1)
    run_through(place.app, client, 200)
    disk = RocksTaskDisk(place.folder.database, ["counts"], RocksMemory(2_000_000))
    known = disk.topics()["counts"]
    batch = disk.batch()
    batch.topic("counts", "of-before")
    disk.write(batch)
    del batch
    disk.close()
    write(client, place.source, lines(WORDS[200:]), 1)
    run_through(place.app, client, 100)
    assert "deleted and made anew" in caplog.text
    assert (place.folder.path / "db.aside-1").is_dir()
    assert counts(read_all(client, place.sink, 1)) == Counter(WORDS)
    disk = RocksTaskDisk(place.folder.database, ["counts"], RocksMemory(2_000_000))
    assert disk.topics()["counts"] == known
    disk.close()


def test_a_folder_of_another_process_is_waited_for(client, place, caplog):
    write(client, place.source, lines(WORDS), 1)
    assert place.folder.lock()
    with running(place.app, client) as worker:
        worker.until(lambda _status: "waiting for" in caplog.text)
        assert not worker.worker.status().ready
        place.folder.release()
        worker.until(lambda status: status.records == len(WORDS))
        worker.stop()
    assert place.folder.lock(), "a closed task gives its folder up"
    place.folder.release()


def test_a_folder_that_is_not_given_up_ends_the_worker_with_words(client, place):
    assert place.folder.lock()
    app = counting(place.source, place.sink, place.name, place.tmp_path, call_timeout="2s")
    with running(app, client) as worker:
        error = worker.until_failed()
    assert isinstance(error, StateError)
    assert f"{place.folder.path} is locked by another process" in str(error)
    place.folder.release()


def test_more_state_than_the_cache_holds(client, new_topic, tmp_path):
    """A commit whenever half of the cache is dirty, though the interval is an hour."""
    source, sink, name = new_topic("in", 1), new_topic("out", 1), unique("app")
    words = [f"w{i % 3000}" for i in range(9000)]
    app = counting(source, sink, name, tmp_path, commit_interval="1h", cache="100kB", emit="latest", round_records=500)
    write(client, source, lines(words), 1)
    with running(app, client) as worker:
        worker.until(lambda status: status.records == len(words))
        assert worker.worker.status().commits > 10
        worker.stop()
    assert counts(read_all(client, sink, 1)) == Counter(words)


def test_the_limit_of_open_files_is_raised_as_far_as_the_system_lets(monkeypatch):
    limits = [(1024, 500_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _what, given: limits.append(given))
    allow_files.__wrapped__()
    assert limits[-1] == (65_536, 500_000)
    limits.append((1024, 4096))
    allow_files.__wrapped__()
    assert limits[-1] == (4096, 4096)
    allow_files.__wrapped__()
    assert len(limits) == 4, "not lowered, not set for nothing"
