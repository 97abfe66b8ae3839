"""`python -m benchmarks.fail_over`: how long a task is away when its worker is killed, with a standby copy and without.

Two workers run a program with one task, whose store has so many rows of 100 bytes, on an embedded broker; each has a
state folder of its own, as on two machines. The one with the task is killed (`kill -9`), and a record is written at
once. Told are the seconds until its output can be read, how many of them passed until the other worker said that the
group had given it the task (a session, 6 s, and a rebalance; to within a quarter of a second, in which it says so), and
how many records of the changelog were restored.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from millstream.app import App
from millstream.broker.launch import EmbeddedBroker
from millstream.client.contract import TopicSpec
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.model import OutBatch, TopicPartition
from millstream.runtime import Worker, WorkerStatus

Store: TypeAlias = Literal["memory", "rocksdb"]
STORES: tuple[Store, ...] = ("memory", "rocksdb")

ROWS = 1_000_000
CHUNK = 10_000
LIMIT_S = 600.0
SOURCE, SINK = TopicPartition("rows", 0), TopicPartition("latest", 0)
VALUE = bytes(range(65, 91)) * 4  # of 104 bytes; the last eight are replaced


@dataclass(frozen=True, slots=True)
class FailOver:
    """What became of one kill: seconds from it to the first output, and to the task's assignment."""

    store: str
    copies: int
    output_s: float
    given_s: float
    restored: int


def program(copies: int, store: str, folder: Path) -> App:
    """The latest value of each key."""
    app = App(
        "fail-over",
        num_standby_replicas=copies,
        store=store,
        state_dir=folder,
        processing_guarantee="exactly_once_v2",
    )
    rows = app.stream(SOURCE.topic, key=bytes, value=bytes)
    rows.group_by_key().reduce(lambda _, new: new, store="latest").to_stream().to(SINK.topic)
    return app


# --- a worker, in a process of its own that tells what it sees


def work(bootstrap: str, copies: int, store: str, folder: Path) -> None:
    app = program(copies, store, folder)
    worker = Worker(app.topology(), app.settings, LibrdkafkaClient(bootstrap))
    threading.Thread(target=_tell, args=(worker.status,), daemon=True).start()
    worker.run(threading.Event())


def _tell(status: Callable[[], WorkerStatus]) -> None:
    while True:
        seen = status()
        told: dict[str, Any] = {
            "at_s": time.monotonic(),
            "tasks": len(seen.tasks),
            "running": seen.ready,
            "records": seen.records,
            "copied": sum(copy.rows for copy in seen.standbys if copy.lag == 0),
            "restored": sum(task.restored for task in seen.tasks),
        }
        print(json.dumps(told), flush=True)
        time.sleep(0.05)


class Worked:
    """A worker's process, and the latest that it told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.told: dict[str, Any] = {}
        self.given_at_s: float | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, reached: Callable[[dict[str, Any]], bool]) -> None:
        until = time.monotonic() + LIMIT_S
        while not (self.told and reached(self.told)):
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"a worker has ended, or takes too long: {self.told}")
            time.sleep(0.02)

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.told = json.loads(line)
            if self.told["tasks"] and self.given_at_s is None:
                self.given_at_s = self.told["at_s"]


@contextmanager
def worked(bootstrap: str, copies: int, store: str, folder: Path) -> Iterator[Worked]:
    command = [sys.executable, "-m", "benchmarks.fail_over", "--work", bootstrap, str(copies), store, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Worked(process)
        finally:
            process.kill()


# --- what is done to them


def measured(rows: int, copies: int, store: str) -> FailOver:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="millstream-fail-over-")))
        broker = stack.enter_context(EmbeddedBroker.private(None))
        client = LibrdkafkaClient(broker.bootstrap)
        admin = client.admin()
        admin.create_topics([TopicSpec(each.topic, 1, {}) for each in (SOURCE, SINK)], timeout_ms=10_000)
        admin.close()
        first = stack.enter_context(worked(broker.bootstrap, copies, store, folder / "first"))
        first.until(lambda told: bool(told["tasks"]))
        second = stack.enter_context(worked(broker.bootstrap, copies, store, folder / "second"))
        write(client, rows)
        first.until(lambda told: told["records"] >= rows)
        second.until(lambda told: told["copied"] >= rows if copies else "at_s" in told)
        time.sleep(3.0)  # the last commit, and the group at rest
        output_s, given_s = killed(client, first, second)
        return FailOver(store, copies, output_s, min(given_s, output_s), int(second.told["restored"]))


def killed(client: LibrdkafkaClient, first: Worked, second: Worked) -> tuple[float, float]:
    reading = client.data_consumer("fail-over-reader", read_committed=True)
    _, end = reading.watermarks(SINK, timeout_ms=10_000)
    reading.assign({SINK: end})
    first.process.kill()
    killed_at_s = time.monotonic()
    write(client, 1)
    while not reading.poll(max_records=1, timeout_ms=20).batches:
        if time.monotonic() - killed_at_s > LIMIT_S:
            raise RuntimeError("there is no output")
    output_at_s = time.monotonic()
    reading.close()
    time.sleep(0.5)
    assert second.given_at_s is not None
    return output_at_s - killed_at_s, second.given_at_s - killed_at_s


def write(client: LibrdkafkaClient, rows: int) -> None:
    producer = client.producer()
    left = range(rows)
    while left or producer.outstanding():
        chunk, left = left[:CHUNK], left[CHUNK:]
        keys = [number.to_bytes(8, "big") for number in chunk]
        taken = producer.produce(OutBatch(SOURCE, [1] * len(keys), keys, [VALUE[:92] + key for key in keys]))
        if taken < len(keys):
            left = range(chunk[taken], rows)
        producer.poll(timeout_ms=20)
    producer.close()


def table(found: list[FailOver]) -> str:
    """As Markdown.

    >>> print(table([FailOver("memory", 1, 6.31, 6.24, 0)]))
    | store | copies | to the first output: s | until the task is given: s | restored |
    | --- | ---: | ---: | ---: | ---: |
    | memory | 1 | 6.3 | 6.2 | 0 |
    """
    lines = [
        "| store | copies | to the first output: s | until the task is given: s | restored |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for each in found:
        output, given = f"{each.output_s:.1f}", f"{each.given_s:.1f}"
        lines.append(f"| {each.store} | {each.copies} | {output} | {given} | {each.restored:,} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fail_over", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of the store ({ROWS:,})")
    parser.add_argument("--store", choices=STORES, help="where the store is (both)")
    parser.add_argument("--copies", type=int, choices=(0, 1), help="standby copies of the task (0 and 1)")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        bootstrap, copies, store, folder = options.work
        work(bootstrap, int(copies), store, Path(folder))
        return
    found = []
    for store in STORES if options.store is None else (options.store,):
        for copies in (0, 1) if options.copies is None else (options.copies,):
            found.append(measured(options.rows, copies, store))
            print(found[-1], flush=True)
    print(f"\n{options.rows:,} rows of 100 bytes\n\n{table(found)}")


if __name__ == "__main__":
    main()
