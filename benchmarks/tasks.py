"""`python -m benchmarks.tasks`: what 64 tasks cost at a trickle, and what a rebalance takes from those that stay.

A worker counts by key the records of 64 partitions. First ten records a second come in all: its CPU is measured. Then
every fourth partition gets one every 20 ms, a second worker starts, and later stops. Each result says which process
made it, so what is read back shows which tasks moved, and how long those that stayed said nothing: the longest time
between two of a partition's results, beside that of a time without a rebalance.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Literal, TypeAlias

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

import millstream as ms
from benchmarks.brokers import embedded
from benchmarks.machine import description
from benchmarks.measure import cpu_s, end
from benchmarks.node import LIMIT_S, node

WORKER_CORE, OTHERS_CORE = 0, 1
PARTITIONS = 64
WATCHED = range(0, PARTITIONS, 4)
TRICKLE_EVERY_S, STEADY_EVERY_S = 0.1, 0.02 / len(WATCHED)
SETTLE_S = 8.0

Guarantee: TypeAlias = Literal["at_least_once", "exactly_once_v2"]
GUARANTEES: tuple[Guarantee, ...] = ("at_least_once", "exactly_once_v2")


@dataclass(frozen=True, slots=True)
class Seen:
    """One result, as it was read back."""

    at_s: float
    partition: int
    process: int


@dataclass(frozen=True, slots=True)
class Change:
    """A rebalance, by what came out: how many tasks moved, and the pauses in ms of those that stayed and that moved."""

    moved: int
    again: int
    stayed: tuple[float, ...]
    moving: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Result:
    guarantee: Guarantee
    trickle: float
    calm: tuple[float, ...]
    joined: Change
    left: Change


def change(seen: Sequence[Seen]) -> Change:
    """What happened to the partitions of these results.

    >>> change([Seen(0.0, 0, 7), Seen(0.1, 1, 7), Seen(0.5, 0, 8), Seen(0.2, 1, 7)])
    Change(moved=1, again=0, stayed=(100.0,), moving=(500.0,))
    """
    by_partition: dict[int, list[Seen]] = {}
    for each in seen:
        by_partition.setdefault(each.partition, []).append(each)
    stayed, moving, again = list[float](), list[float](), 0
    for of_one in by_partition.values():
        longest_ms = max((after.at_s - before.at_s) * 1000 for before, after in pairwise(of_one))
        changes = sum(before.process != after.process for before, after in pairwise(of_one))
        (moving if changes else stayed).append(round(longest_ms, 3))
        again += changes > 1
    return Change(len(moving), again, tuple(stayed), tuple(moving))


class Bench:
    """One application on one broker, with what writes its input and reads its output."""

    def __init__(self, bootstrap: str, guarantee: Guarantee, folder: Path) -> None:
        self._bootstrap, self._guarantee, self._folder = bootstrap, guarantee, folder
        self._name = f"tasks-{guarantee.replace('_', '-')}"
        self._number = 0
        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        made = admin.create_topics([NewTopic(f"{self._name}-{end}", PARTITIONS, 1) for end in ("in", "out")])
        for done in made.values():
            done.result(LIMIT_S)

    def result(self, seconds: float) -> Result:
        with ExitStack() as running, self._producer() as producer:
            consumer = self._consumer()
            running.callback(consumer.close)
            first = running.enter_context(self._worker())
            self._until(consumer, producer, {first.pid})
            self._feed(consumer, producer, SETTLE_S, TRICKLE_EVERY_S, range(PARTITIONS))
            before = cpu_s(first.pid)
            self._feed(consumer, producer, seconds, TRICKLE_EVERY_S, range(PARTITIONS))
            trickle = (cpu_s(first.pid) - before) / seconds
            self._feed(consumer, producer, SETTLE_S, STEADY_EVERY_S)
            calm = change(self._feed(consumer, producer, seconds, STEADY_EVERY_S))
            with self._worker():
                joined = change(self._feed(consumer, producer, seconds, STEADY_EVERY_S))
            left = self._feed(consumer, producer, seconds, STEADY_EVERY_S)
        return Result(self._guarantee, trickle, calm.stayed, joined, change(left))

    def _until(self, consumer: Consumer, producer: Producer, processes: set[int]) -> None:
        """Every partition has had a result of one of these."""
        missing, until = set(range(PARTITIONS)), time.monotonic() + LIMIT_S
        while missing:
            if time.monotonic() > until:
                raise RuntimeError(f"no results of the partitions {sorted(missing)} in {LIMIT_S:.0f} s")
            seen = self._feed(consumer, producer, 1.0, STEADY_EVERY_S, range(PARTITIONS))
            missing -= {each.partition for each in seen if each.process in processes}

    def _feed(
        self,
        consumer: Consumer,
        producer: Producer,
        seconds: float,
        every_s: float,
        partitions: Sequence[int] = WATCHED,
    ) -> list[Seen]:
        """Write a record at each moment that is due, to one partition after the other, and read what comes."""
        seen: list[Seen] = []
        begin = due = time.monotonic()
        while (now := time.monotonic()) < begin + seconds:
            while due <= now:
                partition = partitions[self._number % len(partitions)]
                producer.produce(f"{self._name}-in", b"1", b"%d" % partition, partition=partition)
                self._number += 1
                due += every_s
            producer.poll(0)
            for message in consumer.consume(10_000, 0) or consumer.consume(1, min(every_s, 0.001)):
                key, value = message.key(), message.value()
                if message.error() is None and key is not None and value is not None:
                    seen.append(Seen(time.monotonic(), int(key), int(value)))
        return seen

    @contextmanager
    def _worker(self) -> Iterator[subprocess.Popen[bytes]]:
        command = ["taskset", "-c", str(WORKER_CORE), sys.executable, "-m", "benchmarks.tasks", "--worker"]
        command += [self._guarantee, self._bootstrap, self._name, str(self._folder)]
        with (self._folder / "log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                yield process
            finally:
                end(process)

    @contextmanager
    def _producer(self) -> Iterator[Producer]:
        producer = Producer({"bootstrap.servers": self._bootstrap, "linger.ms": 1})
        try:
            yield producer
        finally:
            producer.flush(LIMIT_S)

    def _consumer(self) -> Consumer:
        settings = {
            "bootstrap.servers": self._bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 1,
        }
        consumer = Consumer(settings)
        consumer.assign([TopicPartition(f"{self._name}-out", each, 0) for each in range(PARTITIONS)])
        return consumer


def run_worker(guarantee: Guarantee, bootstrap: str, name: str, folder: str) -> None:
    app = ms.App(
        name,
        bootstrap_servers=bootstrap,
        state_dir=str(Path(folder) / "state"),
        processing_guarantee=guarantee,
        emit="every",
        http=None,
    )
    counts = app.stream(f"{name}-in", key=str, value=str).group_by_key().count(store="counts").to_stream()
    counts.map_values(lambda _count: str(os.getpid()), value=str).to(f"{name}-out")
    app.run()


def table(results: Sequence[Result]) -> str:
    """In Markdown, a row for each guarantee. Pauses are the median and the longest of the partitions', in ms."""
    lines = [
        "| | CPU at a trickle | pauses when calm | second worker comes: moved (twice) | pauses of those that stay "
        "| of those that move | it goes: moved (twice) | of those that stay | of those that move |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in results:
        cells = [each.guarantee, f"{each.trickle:.1%}", _pauses(each.calm)]
        for of in (each.joined, each.left):
            cells += [f"{of.moved} ({of.again})", _pauses(of.stayed), _pauses(of.moving)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _pauses(pauses: Sequence[float]) -> str:
    return f"{median(pauses):.0f}, {max(pauses):.0f}" if pauses else "-"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the four parts")
    parser.add_argument("--embedded", action="store_true", help="on the embedded broker instead of Apache Kafka")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        run_worker(*options.worker)
        return 0
    os.sched_setaffinity(0, {OTHERS_CORE})
    results = []
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="millstream-benchmarks-")))
        if options.embedded:
            bootstrap, _ = held.enter_context(embedded(OTHERS_CORE))
        else:
            bootstrap = held.enter_context(node(OTHERS_CORE)).bootstrap
        for guarantee in GUARANTEES:
            (folder / guarantee).mkdir()
            results.append(Bench(bootstrap, guarantee, folder / guarantee).result(options.seconds))
    broker = "the embedded broker" if options.embedded else "Apache Kafka"
    print(f"\n{PARTITIONS} tasks on {broker}; {description()}\n\n{table(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
