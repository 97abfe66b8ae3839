"""`python -m benchmarks.restore`: how long a store of many rows takes to be restored, beside a plain client's reading.

A changelog is written beforehand, on one node of Apache Kafka that is on one core. On the other core, one after the
other and each in a process of its own: a plain loop that reads all keys and values, and workers without local state
that restore them, in memory and into RocksDB. Measured is the time and the CPU from the first request for records until
all are there; `start` is that of the whole process, until its task runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from confluent_kafka import Consumer, TopicPartition

import millstream as ms
from benchmarks.brokers import embedded
from benchmarks.data import Row
from benchmarks.machine import description
from benchmarks.measure import peak_mb
from benchmarks.node import Topics, node
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.runtime import Worker, WorkerStatus

CLIENT_CORE, BROKER_CORE = 0, 1
LIMIT_S = 300.0
VALUE_BYTES = 100
LOOK_EVERY_S = 0.002
Store: TypeAlias = Literal["memory", "rocksdb"]
WAYS = ("plain", "memory", "rocksdb")


@dataclass(frozen=True, slots=True)
class Found:
    """What one way took. `start_s` counts from the start of the process, imports included."""

    rows: int
    wall_s: float
    cpu_s: float
    start_s: float
    peak_mb: float

    @property
    def per_second(self) -> float:
        return self.rows / self.wall_s


def rows_of(count: int) -> Iterator[Row]:
    for number in range(count):
        yield f"k{number:08d}".encode(), f"{number:0{VALUE_BYTES}d}".encode(), number


def application(name: str, bootstrap: str, store: Store, state_dir: str) -> ms.App:
    app = ms.App(name, bootstrap_servers=bootstrap, state_dir=state_dir, store=store)
    app.stream(f"{name}-in", key=str, value=str).group_by_key().reduce(lambda _old, new: new, store="rows")
    return app


class Clock:
    """Wall and CPU time since it was made, and since the process started."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def found(self, rows: int, started: float) -> Found:
        wall, cpu = time.monotonic() - self._wall, time.process_time() - self._cpu
        return Found(rows, wall, cpu, time.time() - started, peak_mb(os.getpid()))


def read_plainly(bootstrap: str, topic: str, count: int, started: float) -> Found:
    """Keys and values of all records, each looked at once."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": "plain",
        "enable.auto.commit": False,
        "fetch.queue.backoff.ms": 1,
        "queued.min.messages": 100_000,
    }
    consumer = Consumer(settings)
    clock = Clock()
    consumer.assign([TopicPartition(topic, 0, 0)])
    seen = bytes_seen = 0
    until = time.monotonic() + LIMIT_S
    while seen < count:
        if time.monotonic() > until:
            raise RuntimeError(f"{count - seen} records did not come in {LIMIT_S:.0f} s")
        for message in consumer.consume(10_000, 0) or consumer.consume(1, 1.0):
            if message.error() is None:
                bytes_seen += len(message.key() or b"") + len(message.value() or b"")
                seen += 1
    found = clock.found(seen, started)
    consumer.close()
    return found


def restore(app: ms.App, bootstrap: str, started: float) -> Found:
    """A worker, until its one task runs."""
    worker = Worker(app.topology(), app.settings, LibrdkafkaClient(bootstrap))
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        clock = Clock()
        until = time.monotonic() + LIMIT_S
        while not _task_is(status := worker.status(), "running"):
            if not any(task.state == "restoring" for task in status.tasks):
                clock = Clock()
            if time.monotonic() > until or not thread.is_alive():
                raise RuntimeError(f"the task was not restored: {status}")
            time.sleep(LOOK_EVERY_S)
        return clock.found(worker.status().restored, started)
    finally:
        stop.set()
        thread.join(LIMIT_S)


def _task_is(status: WorkerStatus, state: str) -> bool:
    return bool(status.tasks) and all(task.state == state for task in status.tasks)


def measured(way: str, bootstrap: str, name: str, rows: int) -> Found:
    """In a process of its own."""
    command = ["taskset", "-c", str(CLIENT_CORE), sys.executable, "-m", "benchmarks.restore"]
    command += ["--way", way, "--bootstrap", bootstrap, "--name", name, "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{way} failed:\n{done.stderr[-3000:]}")
    return Found(**json.loads(done.stdout))


def table(found: dict[str, list[Found]]) -> str:
    """In Markdown, the best of each way's runs; rates are told beside the plain client's.

    >>> print(table({"plain": [Found(100, 1.0, 1.0, 1.5, 50.0)], "memory": [Found(100, 2.0, 1.5, 2.5, 90.0)]}))
    | | rows/s | to the plain client | CPU us a row | until it runs, s | peak MB |
    |---|---:|---:|---:|---:|---:|
    | plain | 100 | 1.00 | 10000.00 | 1.50 | 50 |
    | memory | 50 | 0.50 | 15000.00 | 2.50 | 90 |
    """
    lines = [
        "| | rows/s | to the plain client | CPU us a row | until it runs, s | peak MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    best = {way: min(runs, key=lambda run: run.wall_s) for way, runs in found.items()}
    for way, run in best.items():
        share = run.per_second / best["plain"].per_second
        us = run.cpu_s * 1e6 / run.rows
        lines.append(
            f"| {way} | {run.per_second:,.0f} | {share:.2f} | {us:.2f} | {run.start_s:.2f} | {run.peak_mb:.0f} |"
        )
    return "\n".join(lines)


def compare(bootstrap: str, rows: int, runs: int) -> dict[str, list[Found]]:
    topics = Topics(bootstrap)
    found: dict[str, list[Found]] = {way: [] for way in WAYS}
    for run in range(runs):
        for way in WAYS:
            name = f"restore-{way}-{run}"
            print(f"{way}, run {run + 1} ...", file=sys.stderr, flush=True)
            topics.create(f"{name}-in")
            topics.fill(f"{name}-rows-changelog", rows_of(rows))
            found[way].append(measured(way, bootstrap, name, rows))
            topics.remove(name)
    return found


def main() -> int:
    started = time.time()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restore", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--embedded", action="store_true", help="on the embedded broker instead of Apache Kafka")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--bootstrap", help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way == "plain":
        topic = f"{options.name}-rows-changelog"
        print(json.dumps(asdict(read_plainly(options.bootstrap, topic, options.rows, started))))
        return 0
    if options.way is not None:
        with tempfile.TemporaryDirectory(prefix="millstream-benchmarks-") as folder:
            app = application(options.name, options.bootstrap, options.way, str(Path(folder) / "state"))
            print(json.dumps(asdict(restore(app, options.bootstrap, started))))
        return 0
    if options.embedded:
        with embedded(BROKER_CORE) as (bootstrap, _):
            found = compare(bootstrap, options.rows, options.runs)
    else:
        with node(BROKER_CORE) as kafka:
            found = compare(kafka.bootstrap, options.rows, options.runs)
    broker = "the embedded broker" if options.embedded else "Apache Kafka"
    print(f"\n{options.rows:,} rows of {VALUE_BYTES} bytes on {broker}; {description()}\n\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
