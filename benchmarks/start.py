"""`python -m benchmarks.start`: from the start of an application's process to its first output.

Its input is there, it has no state and has never run: its group and its own topics are made. The time ends when a
reader that waits at its output has the first record. The first run of each is left out; after it the files of the
program are in memory. The application is on one core, the broker and the reader on the other.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from confluent_kafka import Consumer, TopicPartition

from benchmarks.data import reports
from benchmarks.engines import ENGINES, Engine, Run, build
from benchmarks.machine import description
from benchmarks.measure import cpu_s, log_of, running
from benchmarks.node import LIMIT_S, Topics, node
from benchmarks.workloads import Workload, chosen

APP_CORE, NODE_CORE = 0, 1
RECORDS = 10_000
WORKLOADS = "W1,W2n"
COMMIT_MS = 1_000


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds to the first output, and the CPU seconds that the process had used then."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Found:
    workload: str
    engine: Engine
    starts: Sequence[Start]


def start(run: Run) -> Start:
    """One start; RuntimeError when no output comes in time."""
    settings = {"bootstrap.servers": run.bootstrap, "group.id": "benchmarks-start", "enable.auto.commit": False}
    consumer = Consumer(settings)
    try:
        consumer.assign([TopicPartition(run.output, 0, 0)])
        consumer.poll(0.5)  # it is connected, and waits at the broker
        began = time.perf_counter()
        with running(run, APP_CORE) as process:
            message = consumer.poll(LIMIT_S)
            found = Start(time.perf_counter() - began, cpu_s(process.pid))
    finally:
        consumer.close()
    if message is None or message.error() is not None:
        said = log_of(run).read_text(errors="replace")[-3000:]
        raise RuntimeError(f"{run.engine} on {run.workload.name} put nothing out in {LIMIT_S:.0f} s:\n{said}")
    return found


def starts(bootstrap: str, engine: Engine, workload: Workload, count: int, folder: Path) -> Found:
    """So many, behind one that is not counted."""
    topics, found = Topics(bootstrap), list[Start]()
    for number in range(count + 1):
        print(f"{workload.name} {engine}, run {number} ...", file=sys.stderr, flush=True)
        own = folder / f"{workload.name}-{engine}-{number}"
        run = Run(engine, workload, number, bootstrap, own, COMMIT_MS, "latency")
        topics.create(run.output)
        found.append(start(run))
        topics.remove(run.application_id)
    return Found(workload.name, engine, found[1:])


def table(found: Sequence[Found]) -> str:
    """In Markdown.

    >>> print(table([Found("W1", "Millstream", [Start(0.9, 0.5), Start(0.7, 0.4), Start(0.8, 0.6)])]).splitlines()[2])
    | W1 | Millstream | 0.80 | 0.70 to 0.90 | 0.50 |
    """
    lines = [
        "| | | to the first output: s (median) | least and most | CPU: s |",
        "|---|---|---:|---:|---:|",
    ]
    for each in found:
        walls = [one.wall_s for one in each.starts]
        cpu = median(one.cpu_s for one in each.starts)
        spread = f"{min(walls):.2f} to {max(walls):.2f}"
        lines.append(f"| {each.workload} | {each.engine} | {median(walls):.2f} | {spread} | {cpu:.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="of each, besides the first (5)")
    parser.add_argument("--only", default=WORKLOADS, help=f"workloads ({WORKLOADS})")
    parser.add_argument("--engine", choices=ENGINES, help="this engine alone")
    options = parser.parse_args()
    build()
    os.sched_setaffinity(0, {NODE_CORE})
    with tempfile.TemporaryDirectory(prefix="millstream-benchmarks-") as folder, node(NODE_CORE) as kafka:
        workloads = chosen(options.only)
        for load in dict.fromkeys(workload.load for workload in workloads):
            Topics(kafka.bootstrap).fill(load.topic, reports(load, RECORDS))
        found = [
            starts(kafka.bootstrap, engine, workload, options.runs, Path(folder))
            for workload in workloads
            for engine in ENGINES
            if options.engine in (None, engine)
        ]
    print(f"\n{RECORDS:,} records wait on Apache Kafka; {description()}\n\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
