"""`python -m benchmarks.workers`: what a second worker adds.

One worker processes four partitions as fast as it can, then two workers do. Counted is what was committed between a
fifth of the records and nine tenths of them, so neither starting nor the group's sharing out is in it. Nothing is
pinned: workers and broker share the cores. Where these are too few, the second worker waits for a core. So three things
are told: how much quicker two were here; how much quicker two could have been on these cores, by what they and the
broker took of them for a record; and how much quicker they would be with enough cores, by what one worker takes for a
record and what two take.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from benchmarks.data import Load, reports
from benchmarks.engines import Run
from benchmarks.machine import description
from benchmarks.measure import LOOK_EVERY_S, cpu_s, log_of, running
from benchmarks.node import Topics, node
from benchmarks.progress import Progress
from benchmarks.workloads import SESSIONS, Workload, chosen

PARTITIONS = 4
FROM, TO = 0.2, 0.9  # of the records
COMMIT_MS = 500
LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Seen:
    """When so many records were committed, and the CPU seconds that the workers and the broker had used then."""

    records: float
    wall_s: float
    workers_s: float
    broker_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """Records a second, and CPU by record in us, of all workers and of the broker."""

    workers: int
    per_second: float
    workers_us: float
    broker_us: float


def between(seen: Sequence[Seen], records: int) -> Found:
    """What was done between a fifth and nine tenths of the records, on the lines between what was seen.

    >>> between([Seen(0, 0, 0, 0), Seen(100, 2, 2, 1), Seen(1100, 12, 7, 3)], 1100)
    Found(workers=0, per_second=100.0, workers_us=5000.0, broker_us=2000.0)
    """
    begin, end = _at(FROM * records, seen), _at(TO * records, seen)
    done = end.records - begin.records
    return Found(
        0,
        round(done / (end.wall_s - begin.wall_s), 3),
        round((end.workers_s - begin.workers_s) * 1e6 / done, 3),
        round((end.broker_s - begin.broker_s) * 1e6 / done, 3),
    )


def _at(records: float, seen: Sequence[Seen]) -> Seen:
    for before, after in pairwise(seen):
        if after.records >= records:
            share = (records - before.records) / (after.records - before.records)
            return Seen(
                records,
                before.wall_s + share * (after.wall_s - before.wall_s),
                before.workers_s + share * (after.workers_s - before.workers_s),
                before.broker_s + share * (after.broker_s - before.broker_s),
            )
    return seen[-1]


@dataclass(frozen=True, slots=True)
class Gain:
    """How many times as quick two workers are as one: as seen, as these cores allow, and with a core for each.

    >>> one, two = Found(1, 100_000.0, 9.0, 1.0), Found(2, 150_000.0, 10.0, 2.0)
    >>> Gain.of(one, two, cores=2)
    Gain(seen=1.5, possible=1.667, free=1.8)
    """

    seen: float
    possible: float
    free: float

    @staticmethod
    def of(one: Found, two: Found, cores: int) -> Gain:
        most_per_second = cores * 1e6 / (two.workers_us + two.broker_us)
        free = two.workers * one.workers_us / two.workers_us
        possible = min(free, most_per_second / one.per_second)
        return Gain(round(two.per_second / one.per_second, 3), round(possible, 3), round(free, 3))


class Bench:
    """Runs of one worker and of two on one node."""

    def __init__(self, bootstrap: str, broker: int, folder: Path, records: int) -> None:
        self._bootstrap, self._broker, self._folder, self._records = bootstrap, broker, folder, records
        self._topics = Topics(bootstrap)

    def fill(self, load: Load) -> None:
        self._topics.fill(load.topic, reports(load, self._records), PARTITIONS)

    def found(self, workload: Workload, workers: int) -> Found:
        print(f"{workload.name}, workers: {workers} ...", file=sys.stderr, flush=True)
        run = Run("Millstream", workload, workers, self._bootstrap, self._folder, COMMIT_MS)
        runs = [replace(run, folder=self._folder / f"{run.application_id}-{number}") for number in range(workers)]
        self._topics.create(run.output, PARTITIONS)
        with ExitStack() as stack:
            pids = [stack.enter_context(running(each)).pid for each in runs]
            try:
                found = replace(between(self._seen(run, pids), self._records), workers=workers)
            except (RuntimeError, FileNotFoundError) as failed:
                said = "\n".join(log_of(each).read_text(errors="replace")[-3000:] for each in runs)
                raise RuntimeError(f"{workload.name} with {workers} workers: {failed}:\n{said}") from failed
        self._topics.remove(run.application_id)
        return found

    def _seen(self, run: Run, pids: Sequence[int]) -> list[Seen]:
        """Each commit, until the last."""
        progress = Progress(run.bootstrap, run.application_id, run.workload.load.topic, PARTITIONS)
        began = time.monotonic()
        seen = [Seen(0, 0.0, 0.0, cpu_s(self._broker))]
        while seen[-1].records < self._records:
            records, wall_s = progress.committed(), time.monotonic() - began
            if records > seen[-1].records:
                seen.append(Seen(records, wall_s, sum(map(cpu_s, pids)), cpu_s(self._broker)))
            if wall_s > LIMIT_S:
                raise RuntimeError(f"{records:,} of {self._records:,} records were committed in {LIMIT_S:.0f} s")
            time.sleep(LOOK_EVERY_S)
        return seen


def table(workload: str, one: Found, two: Found) -> str:
    """In Markdown."""
    lines = [
        f"| {workload} | records/s | CPU of the workers: us a record | of the broker |",
        "|---|---:|---:|---:|",
    ]
    for each in (one, two):
        name = "one worker" if each.workers == 1 else "two workers"
        lines.append(f"| {name} | {each.per_second:,.0f} | {each.workers_us:.2f} | {each.broker_us:.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=3_000_000)
    parser.add_argument("--only", default="W2", help="workloads, such as W1,W2 (W2)")
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="millstream-benchmarks-") as folder, node() as kafka:
        bench = Bench(kafka.bootstrap, kafka.pid, Path(folder), options.records)
        workloads = [replace(each, load=SESSIONS) for each in chosen(options.only)]
        bench.fill(SESSIONS)
        found = [(each.name, bench.found(each, 1), bench.found(each, 2)) for each in workloads]
    print(f"\n{options.records:,} records in {PARTITIONS} partitions on Apache Kafka; {description()}")
    for name, one, two in found:
        gain = Gain.of(one, two, cores)
        print(f"\n{table(name, one, two)}\n\nTwo workers to one: {gain.seen:.2f} here; {cores} cores allow", end=" ")
        print(f"{gain.possible:.2f}; with a core for each: {gain.free:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
