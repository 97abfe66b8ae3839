"""`kill -9` at any write or commit loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.client.brokers import unique
from tests.runtime.running import EVENT_TIME, latest, read_all, write

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
    with subprocess.Popen([sys.executable, "-m", "tests.runtime.victim", *arguments]) as process:
        try:
            yield process
        finally:
            process.kill()


# A dead worker's tasks are free when its session ends, or when it comes back under the same instance id.
SESSION = {
    "apache": '{"session.timeout.ms": 1000, "heartbeat.interval.ms": 200}',
    "embedded": '{"group.instance.id": "worker-1"}',  # this broker's shortest session is Kafka's, 6 s
}


def test_kill_9_at_any_write_loses_nothing(request, bootstrap, client, new_topic):
    session = SESSION[request.node.callspec.params["bootstrap"]]
    source, sink, name = new_topic("in", PARTITIONS), new_topic("out", PARTITIONS), unique("app")
    expected = {f"w{n}": list(range(n, PORTION * len(KILLS), 7)) for n in range(7)}

    def results() -> dict[str, list[int]]:
        return {key.decode(): json.loads(value) for key, value in latest(read_all(client, sink, PARTITIONS)).items()}

    for turn, point in enumerate(KILLS):
        write(client, source, rows(PORTION * turn), PARTITIONS)
        with victim(bootstrap, name, source, sink, session, point) as dying:
            assert dying.wait(60) == -signal.SIGKILL

    with victim(bootstrap, name, source, sink, session, "none:0:before") as survivor:
        deadline = time.monotonic() + 60
        while (found := results()) != expected:
            assert survivor.poll() is None, "the last worker has ended"
            assert time.monotonic() < deadline, f"only: { {word: len(ids) for word, ids in found.items()} }"
        survivor.terminate()
        assert survivor.wait(30) == 0
    assert results() == expected
