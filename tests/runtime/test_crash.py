"""`kill -9` at any write or commit loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.client.brokers import unique
from tests.runtime.running import EVENT_TIME, latest, read_all, read_partition, write

from millstream.model import TopicPartition
from millstream.plan.internal import TaskId, changelog_topic
from millstream.state.folder import TaskFolder
from millstream.state.rocksdb import RocksMemory, RocksTaskDisk

PARTITIONS = 2
PORTION = 100  # records written before each start
KILLS = (  # the n-th of its kind in a process; what was written or committed "after" was acknowledged
    "changelog:1:before",
    "output:6:after",
    "commit:1:after",
    "changelog:2:after",
    "output:3:before",
    "commit:2:before",
    "commit:2:after",
)


def rows(first: int) -> list[tuple[None, bytes, int]]:
    ids = range(first, first + PORTION)
    return [(None, json.dumps({"word": f"w{i % 7}", "id": i}).encode(), EVENT_TIME + i) for i in ids]


@contextmanager
def victim(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.runtime.victim", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


# A dead worker's tasks are free when its session ends, or when it comes back under the same instance id.
SESSION = {
    "apache": '{"session.timeout.ms": 1000, "heartbeat.interval.ms": 200}',
    "embedded": '{"group.instance.id": "worker-1"}',  # this broker's shortest session is Kafka's, 6 s
}


def rows_on_disk(folder: Path) -> tuple[int, dict[bytes, bytes]]:
    """Up to which offset of its changelog a store on disk is, and what it has."""
    disk = RocksTaskDisk(folder, ["ids"], RocksMemory(2_000_000))
    offset, rows = disk.offsets().get("ids", 0), dict(disk.store("ids").scan(b"", None))
    disk.close()
    return offset, rows


def check_local_stores(folder: Path, name: str, client) -> int:
    """Each store on disk is its changelog up to its checkpoint, byte for byte; gives the number of rows."""
    seen = 0
    for number in range(PARTITIONS):
        database = TaskFolder(folder / "stores" / name / str(TaskId(1, number))).database
        if not database.exists():
            continue
        offset, rows = rows_on_disk(database)
        told = read_partition(client, TopicPartition(changelog_topic(name, "ids"), number))[:offset]
        assert len(told) == offset, "the store is ahead of its changelog"
        assert rows == {key: timestamp.to_bytes(8, "big") + value for key, value, timestamp in told}
        seen += len(rows)
    return seen


STORE = {"apache": "memory", "embedded": "rocksdb"}


def test_kill_9_at_any_write_loses_nothing(request, bootstrap, client, new_topic, tmp_path):
    broker = request.node.callspec.params["bootstrap"]
    settings = json.dumps({"store": STORE[broker], "cache": 0, "state_dir": str(tmp_path)})
    session = SESSION[broker]
    source, sink, name = new_topic("in", PARTITIONS), new_topic("out", PARTITIONS), unique("app")
    expected = {f"w{n}": list(range(n, PORTION * len(KILLS), 7)) for n in range(7)}

    def results() -> dict[str, list[int]]:
        return {key.decode(): json.loads(value) for key, value in latest(read_all(client, sink, PARTITIONS)).items()}

    for turn, point in enumerate(KILLS):
        write(client, source, rows(PORTION * turn), PARTITIONS)
        with victim(bootstrap, name, source, sink, session, settings, point) as dying:
            assert dying.wait(60) == -signal.SIGKILL
        check_local_stores(tmp_path, name, client)

    with victim(bootstrap, name, source, sink, session, settings, "none:0:before") as survivor:
        assert survivor.stdout is not None
        survivor.stdout.readline()  # what was written before may be all there is to expect
        deadline = time.monotonic() + 60
        while (found := results()) != expected:
            assert survivor.poll() is None, "the last worker has ended"
            assert time.monotonic() < deadline, f"only: { {word: len(ids) for word, ids in found.items()} }"
        survivor.terminate()
        assert survivor.wait(30) == 0
    assert results() == expected
    assert check_local_stores(tmp_path, name, client) == (7 if STORE[broker] == "rocksdb" else 0)
