"""`python -m benchmarks.latency`: from giving a record to having its output, at 5,000 records a second.

The driver is this process: one thread gives its producer five records each millisecond, another waits for outputs. An
output belongs to the record with its timestamp, since records are one millisecond of event time apart. The time is
taken when a record is given and when its output has come out of the driver's consumer, so it holds two ways through the
broker; reading the input itself shows what one of these takes. What comes in the first seconds is left out: the JVM
compiles. Driver, broker and application share all cores: the three need more than one, and none needs one of its own.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from benchmarks.data import START_MS, Load, Row, reports
from benchmarks.engines import ENGINES, Engine, Run, build
from benchmarks.machine import description
from benchmarks.measure import cpu_s, log_of, running
from benchmarks.node import LIMIT_S, Topics, node
from benchmarks.workloads import SESSIONS, Workload, chosen

PER_SECOND, TOGETHER = 5_000, 5
FIRST_RECORDS = 100  # before the warm-up, to see that the application runs
WORKLOADS = ("W1", "W2n")
LIVE = b'"live":true'  # what W1 lets pass


class Given(NamedTuple):
    due_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Latency:
    """In ms, of so many outputs."""

    outputs: int
    p50: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen of one workload on one engine.

    `late_ms` is how far the driver was behind its own times at most in 99 of 100 records: on a quiet machine next to
    nothing. `cpu` is the share of a core that the application took.
    """

    name: str
    engine: str
    latency: Latency
    late_ms: float
    cpu: float


def latency(seconds: Sequence[float]) -> Latency:
    """The percentiles of these.

    >>> latency([0.001] * 98 + [0.002] * 2)
    Latency(outputs=100, p50=1.0, p99=2.0, longest=2.0)
    """
    cuts = quantiles(seconds, n=100, method="inclusive")
    return Latency(len(seconds), cuts[49] * 1000, cuts[98] * 1000, max(seconds) * 1000)


def matched(given: Sequence[Given], got: Mapping[int, float], first: int) -> list[float]:
    """Seconds from giving each record to getting its output, by the record's number, from the `first` one on.

    A record that is filtered out has no output.

    >>> matched([Given(10.0, 10.0), Given(20.0, 20.0), Given(30.0, 30.1)], {0: 11.0, 2: 30.6}, first=1)
    [0.5]
    """
    return [at_s - given[number].at_s for number, at_s in got.items() if number >= first]


class Driver:
    """Writes records at their times, and reads what comes of them."""

    def __init__(self, bootstrap: str, source: str, output: str) -> None:
        self._source = source
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 0,
                "enable.idempotence": True,
                "delivery.report.only.error": True,
            }
        )
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "benchmarks-latency",
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 1,
            }
        )
        self._consumer.assign([TopicPartition(output, 0, 0)])
        self._read: list[tuple[float, list[Message]]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> Driver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(LIMIT_S)
        self._consumer.close()
        self._producer.close()

    def write(self, rows: Sequence[Row]) -> list[Given]:
        """When each was to be given, and when it was."""
        given, begin = list[Given](), time.perf_counter()
        for number, (key, value, timestamp) in enumerate(rows):
            due = begin + number // TOGETHER * TOGETHER / PER_SECOND
            while (left := due - time.perf_counter()) > 0:
                time.sleep(left)
            given.append(Given(due, time.perf_counter()))
            self._producer.produce(self._source, value, key, partition=0, timestamp=timestamp)
            if number % 100 == 0:
                self._producer.poll(0)
        if left_over := self._producer.flush(LIMIT_S):
            raise RuntimeError(f"{left_over} records were not acknowledged in {LIMIT_S:.0f} s")
        return given

    def got(self, numbers: Set[int]) -> dict[int, float]:
        """When the outputs of these records were read, by the records' numbers; waits for all of them."""
        found: dict[int, float] = {}
        looked, until = 0, time.monotonic() + LIMIT_S
        while missing := len(numbers - found.keys()):
            if time.monotonic() > until:
                raise RuntimeError(f"{missing} of {len(numbers)} outputs did not come in {LIMIT_S:.0f} s")
            time.sleep(0.1)
            batches = self._read[looked:]
            looked += len(batches)
            for at, messages in batches:
                for message in messages:
                    if message.error() is None:
                        found.setdefault(message.timestamp()[1] - START_MS, at)
        return found

    def _follow(self) -> None:
        while not self._stop.is_set():
            if messages := self._consumer.consume(1, 0.1):
                messages += self._consumer.consume(1_000, 0)
                self._read.append((time.perf_counter(), messages))


class Bench:
    """Runs of both engines on one node."""

    def __init__(self, bootstrap: str, folder: Path, options: argparse.Namespace) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._options = options
        self._topics = Topics(bootstrap)

    def found(self, engine: Engine, workload: Workload) -> Found:
        source = f"{workload.name}-{engine.replace(' ', '-')}-records".lower()
        own = replace(workload, load=Load(source, workload.load.sessions))
        run = Run(engine, own, 0, self._bootstrap, self._folder / source, self._options.commit_ms, "latency")
        self._topics.create(source)
        self._topics.create(run.output)
        with running(run) as process:
            try:
                return self._driven(workload.name, source, run.output, process.pid, engine)
            except RuntimeError as failed:
                said = log_of(run).read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{engine} on {workload.name}: {failed}:\n{said}") from failed

    def alone(self) -> Found:
        """The driver reads what it writes."""
        self._topics.create("alone")
        return self._driven("the broker alone", "alone", "alone")

    def _driven(self, name: str, source: str, output: str, pid: int | None = None, engine: str = "") -> Found:
        warm = FIRST_RECORDS + self._options.warm_up * PER_SECOND
        rows = list(reports(Load(source, SESSIONS.sessions), warm + self._options.seconds * PER_SECOND))
        expected = {number for number, (_, value, _) in enumerate(rows) if name != "W1" or LIVE in value}
        with Driver(self._bootstrap, source, output) as driver:
            given = driver.write(rows[:FIRST_RECORDS])
            driver.got({number for number in expected if number < FIRST_RECORDS})
            given += driver.write(rows[FIRST_RECORDS:warm])
            used = 0.0 if pid is None else cpu_s(pid)
            given += driver.write(rows[warm:])
            used = 0.0 if pid is None else cpu_s(pid) - used
            seconds = matched(given, driver.got(expected), warm)
        late = latency([each.at_s - each.due_s for each in given[warm:]])
        return Found(name, engine, latency(seconds), late.p99, used / self._options.seconds)


def table(found: Sequence[Found]) -> str:
    """In Markdown.

    >>> print(table([Found("W1", "Millstream", Latency(9, 0.7, 2.0, 4.0), 0.2, 0.5)]).splitlines()[2])
    | W1 | Millstream | 0.70 | 2.00 | 4.0 | 9 | 0.20 | 50% |
    """
    lines = [
        "| | | p50: ms | p99: ms | longest: ms | outputs | driver late, p99: ms | CPU of a core |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in found:
        of = each.latency
        cpu = f"{each.cpu:.0%}" if each.engine else "-"
        cells = [each.name, each.engine, f"{of.p50:.2f}", f"{of.p99:.2f}", f"{of.longest:.1f}", f"{of.outputs:,}"]
        lines.append(f"| {' | '.join([*cells, f'{each.late_ms:.2f}', cpu])} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=15, help="that are measured (15)")
    parser.add_argument("--warm-up", type=int, default=10, help="seconds before them (10)")
    parser.add_argument("--only", choices=WORKLOADS, help="this workload alone")
    parser.add_argument("--engine", choices=ENGINES, help="this engine alone")
    parser.add_argument("--commit-ms", type=int, default=1_000, help="commit interval of both, in ms (1000)")
    options = parser.parse_args()
    build()
    gc.disable()
    with tempfile.TemporaryDirectory(prefix="millstream-benchmarks-") as folder, node() as kafka:
        bench = Bench(kafka.bootstrap, Path(folder), options)
        found = [bench.alone()]
        for workload in chosen(options.only or ",".join(WORKLOADS)):
            for engine in ENGINES:
                if options.engine in (None, engine):
                    found.append(bench.found(engine, workload))
                    print(table(found[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(f"\n{PER_SECOND:,} records/s on Apache Kafka; {description()}\n\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
