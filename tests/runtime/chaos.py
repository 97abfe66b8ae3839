"""Workers as processes that are killed, `kill -9`, while records come; and what must come out in the end.

`python -m tests.runtime.chaos BOOTSTRAP NAME SETTINGS` is one worker; SETTINGS are the application's, as JSON.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.runtime.running import read_all, write

import millstream as ms
from millstream.client.contract import TopicSpec
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.errors import BrokerUnavailableError
from millstream.runtime import Worker
from millstream.serde.scalars import INT64

WORDS = 23
Row = tuple[bytes | None, bytes | None]


def program(name: str, **settings: object) -> ms.App:
    """Counts by word, every update of them, through a repartition topic; and pairs of a stream-stream join."""
    app = ms.App(name, emit="every", **settings)
    lefts = app.stream(f"{name}-left", key=str)
    rights = app.stream(f"{name}-right", key=str)
    lefts.group_by(lambda value: value["word"]).count(store="counts").to_stream().to(f"{name}-counts")
    lefts.join(
        rights, lambda left, right: [left["id"], right["id"]], window=ms.join_window("1h", grace="1h"), store="pairs"
    ).to(f"{name}-pairs")
    return app


class Trial:
    """An application on a broker, its workers, and what it was given."""

    def __init__(self, bootstrap: str, name: str, partitions: int, settings: dict[str, object]) -> None:
        self.client = LibrdkafkaClient(bootstrap)
        self.given = 0
        self.static = True
        self._bootstrap = bootstrap
        self._name = name
        self._partitions = partitions
        self._settings = settings
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        admin = self.client.admin()
        topics = [TopicSpec(f"{name}-{each}", partitions, {}) for each in ("left", "right", "counts", "pairs")]
        admin.create_topics(topics, timeout_ms=10_000)
        admin.close()

    def start(self, number: int) -> None:
        """A worker; one with the same number takes its place in the group at once, if it is static."""
        own = {"group_instance_id": f"{self._name}-{number}"} if self.static else {}
        settings = json.dumps({**self._settings, **own})
        command = [sys.executable, "-m", "tests.runtime.chaos", self._bootstrap, self._name, settings]
        self._workers[number] = subprocess.Popen(command)

    def kill(self, number: int) -> None:
        worker = self._workers[number]
        assert worker.poll() is None, f"worker {number} has ended by itself"
        worker.kill()
        worker.wait(10)

    @contextmanager
    def standing_still(self, number: int) -> Iterator[None]:
        """A worker that does nothing for a while, and doesn't know of it."""
        self._workers[number].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._workers[number].send_signal(signal.SIGCONT)

    def give(self, count: int) -> None:
        """More records for both inputs."""
        ids = range(self.given, self.given + count)
        # Of today: records of old times are soon deleted from changelogs of windows.
        now_ms = time.time_ns() // 1_000_000
        lefts = [(b"k%d" % i, json.dumps({"id": i, "word": f"w{i % WORDS}"}).encode(), now_ms) for i in ids]
        rights = [(b"k%d" % i, json.dumps({"id": i}).encode(), now_ms) for i in ids]
        write(self.client, f"{self._name}-left", lefts, self._partitions)
        write(self.client, f"{self._name}-right", rights, self._partitions)
        self.given += count

    def counts(self) -> Counter[tuple[str, int]]:
        rows = self._read("counts")
        return Counter((key.decode(), INT64.decode(value)) for key, value in rows)

    def pairs(self) -> Counter[tuple[str, str]]:
        return Counter((key.decode(), value.decode()) for key, value in self._read("pairs"))

    def expected_counts(self) -> Counter[tuple[str, int]]:
        """Each word's count goes up one by one."""
        return Counter((f"w{i % WORDS}", i // WORDS + 1) for i in range(self.given))

    def expected_pairs(self) -> Counter[tuple[str, str]]:
        return Counter((f"k{i}", f"[{i},{i}]") for i in range(self.given))

    def until(self, reached: Callable[[], bool], limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while not reached():
            if time.monotonic() > deadline:
                return False
            for number, worker in self._workers.items():
                assert worker.poll() is None, f"worker {number} has ended by itself"
            time.sleep(0.2)
        return True

    def stop(self) -> list[int]:
        """Their exit statuses; one that still starts, and doesn't listen to signals yet, has done nothing."""
        for worker in self._workers.values():
            worker.terminate()
        ended = [worker.wait(60) for worker in self._workers.values()]
        return [0 if status == -signal.SIGTERM else status for status in ended]

    def abandon(self) -> None:
        for worker in self._workers.values():
            worker.kill()
            worker.wait(10)

    def _read(self, topic: str) -> list[tuple[bytes, bytes]]:
        rows = read_all(self.client, f"{self._name}-{topic}", self._partitions, read_committed=True)
        return [(key, value) for key, value, _ in rows if key is not None and value is not None]


@contextmanager
def trial(bootstrap: str, name: str, partitions: int, folder: Path, **settings: object) -> Iterator[Trial]:
    made = Trial(bootstrap, name, partitions, {"state_dir": str(folder), **settings})
    try:
        yield made
    finally:
        made.abandon()


def kill_at_random(
    made: Trial, workers: int, kills: int, seed: int, break_broker: Callable[[], None] | None = None
) -> None:
    """Give records, and kill workers at moments that nobody chose; each is started again at once.

    `break_broker` is called three times, with half a second of records before and after each.
    """
    chance = random.Random(seed)
    for number in range(workers):
        made.start(number)
    breaks = {kills // 4, kills // 2, 3 * kills // 4} if break_broker is not None else set()
    for turn in range(kills):
        if turn in breaks and break_broker is not None:
            made.give(100)
            break_broker()
            made.give(100)
        until = time.monotonic() + chance.uniform(0.5, 3.0)
        while time.monotonic() < until:
            made.give(chance.randrange(5, 60))
            time.sleep(0.02)
        number = chance.randrange(workers)
        made.kill(number)
        made.start(number)
    made.give(100)


def main() -> None:
    bootstrap, name, settings = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(process)d %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    app = program(name, **json.loads(settings))
    while not stop.is_set():
        # A worker that is started while its broker is down ends; as the parent of workers does, begin again.
        with suppress(BrokerUnavailableError):
            Worker(app.topology(), app.settings, LibrdkafkaClient(bootstrap)).run(stop)


if __name__ == "__main__":
    main()
