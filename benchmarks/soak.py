"""`python -m benchmarks.soak`: a worker at full load for half an hour; its memory and its open files must not grow.

It counts reports in windows, in sessions, and by place behind a repartition topic, on the embedded broker, as fast as
it can: the feed is kept some seconds ahead of what is committed. Keys are new from time to time, so that there is
something to forget. Memory and open files of the worker and of the broker are looked at every few seconds. They have
grown when the median of the last third of the looks is more than that of the middle third, by a tenth of the memory, or
of the files and five: what remembers keys begins anew now and then, so memory goes up and down. The broker's segments
are no open files here, for its data does grow; nor is its memory judged, which has the keys of what it compacts.
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
from itertools import islice
from pathlib import Path
from statistics import median

from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

import millstream as ms
from benchmarks.brokers import embedded
from benchmarks.data import START_MS, Load, reports
from benchmarks.machine import description
from benchmarks.measure import end
from benchmarks.node import LIMIT_S
from benchmarks.programs import WINDOW, Report
from benchmarks.progress import Progress

WORKER_CORE, OTHERS_CORE = 0, 1
NAME = "soak"
SESSIONS = 20_000
EPOCH = 100_000  # records, after which a part of the keys are others: what remembers keys is soon full
BLOCK = 10_000
AHEAD = 300_000  # records that are written and not yet processed, at most
BEGIN_MS = 20 * 3_600_000  # before now: the records' time goes by quicker, and brokers take none far ahead of theirs
LOOK_EVERY_S = 5.0
LEAST_MINUTES = 0.5
MORE, FEW_FILES = 1.1, 5
KEPT = {"retention.bytes": str(256 << 20), "retention.ms": "-1", "segment.bytes": str(32 << 20)}


@dataclass(frozen=True, slots=True)
class Look:
    """Memory in MB (resident) and open files of a process."""

    memory_mb: float
    files: int


@dataclass(frozen=True, slots=True)
class Course:
    """Medians over the three thirds of a run."""

    memory_mb: tuple[float, float, float]
    files: tuple[float, float, float]
    memory_counts: bool = True

    @property
    def grown(self) -> bool:
        memory = self.memory_counts and self.memory_mb[2] > MORE * self.memory_mb[1]
        return memory or self.files[2] > MORE * self.files[1] + FEW_FILES


def course(looks: Sequence[Look], *, memory_counts: bool = True) -> Course:
    """What became of a process.

    >>> course([Look(50.0, 20)] * 2 + [Look(80.0, 30)] * 2 + [Look(81.0, 30), Look(83.0, 31)])
    Course(memory_mb=(50.0, 80.0, 82.0), files=(20.0, 30.0, 30.5), memory_counts=True)
    >>> course([Look(50.0, 20), Look(80.0, 30), Look(90.0, 30)]).grown
    True
    """
    third = len(looks) // 3
    thirds = looks[:third], looks[third : 2 * third], looks[2 * third :]
    memory, files = ([median(map(part, each)) for each in thirds] for part in (_memory, _files))
    in_thirds = (memory[0], memory[1], memory[2]), (float(files[0]), float(files[1]), float(files[2]))
    return Course(*in_thirds, memory_counts)


def _memory(look: Look) -> float:
    return look.memory_mb


def _files(look: Look) -> float:
    return look.files


def look(pid: int) -> Look:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Look(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, sum(map(_is_counted, Path(f"/proc/{pid}/fd").iterdir())))


def _is_counted(file: Path) -> bool:
    try:
        return not str(file.readlink()).endswith(".log")
    except OSError:  # closed meanwhile
        return False


class Totals(ms.Record):
    count: int
    bitrate: int


def application(bootstrap: str, state_dir: str, store: str, guarantee: str) -> ms.App:
    app = ms.App(
        NAME,
        bootstrap_servers=bootstrap,
        state_dir=state_dir,
        store=store,
        processing_guarantee=guarantee,
        commit_interval="1s" if guarantee == "at_least_once" else "100ms",
        http=None,
    )
    incoming = app.stream(f"{NAME}-in", key=str, value=Report)
    totals = {"count": ms.count(), "bitrate": ms.sum("bitrate")}
    by_session = incoming.group_by_key()
    by_session.windowed_by(WINDOW).aggregate(Totals, **totals).to_stream().to(f"{NAME}-windows")
    by_session.windowed_by(ms.session("10s", grace="5s")).aggregate(Totals, **totals).to_stream().to(f"{NAME}-visits")
    by_place = incoming.group_by("location", "cdn").windowed_by(WINDOW)
    by_place.aggregate(Totals, **totals).to_stream().to(f"{NAME}-places")
    return app


class Feed:
    """Writes reports, as far as they may be ahead of what is committed."""

    def __init__(self, bootstrap: str) -> None:
        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        names = (f"{NAME}-{end}" for end in ("in", "windows", "visits", "places"))
        for done in admin.create_topics([NewTopic(name, 1, 1, config=KEPT) for name in names]).values():
            done.result(LIMIT_S)
        settings = {"bootstrap.servers": bootstrap, "compression.type": "lz4", "linger.ms": 20}
        self._producer = Producer({**settings, "delivery.report.only.error": True, "on_delivery": self._lost})
        self._progress = Progress(bootstrap, NAME, f"{NAME}-in")
        self._later_ms = int(time.time() * 1000) - BEGIN_MS - START_MS
        self._rows = self._endless()
        self.written = self.committed = 0

    def _endless(self) -> Iterator[tuple[bytes, bytes, int]]:
        epoch = 0
        while True:
            for key, value, time_ms in reports(Load(f"{NAME}-in", SESSIONS), EPOCH, seed=epoch):
                new = b"%d" % epoch + key if key[-1:] == b"7" else key
                yield new, value, time_ms + self._later_ms + epoch * EPOCH
            epoch += 1

    @staticmethod
    def _lost(error: KafkaError | None, _message: object) -> None:
        raise RuntimeError(f"a record was not written: {error}")

    def step(self) -> None:
        """A block more, or some rest."""
        if self.written - self.committed >= AHEAD:
            self.committed = self._progress.committed()
            time.sleep(0.05)
            return
        for key, value, time_ms in islice(self._rows, BLOCK):
            while True:
                try:
                    self._producer.produce(f"{NAME}-in", value, key, partition=0, timestamp=time_ms)
                    break
                except BufferError:
                    self._producer.poll(0.05)
        self._producer.poll(0)
        self.written += BLOCK

    def close(self) -> None:
        self._producer.flush(LIMIT_S)


@contextmanager
def worker(bootstrap: str, folder: str, store: str, guarantee: str) -> Iterator[subprocess.Popen[bytes]]:
    command = ["taskset", "-c", str(WORKER_CORE), sys.executable, "-m", "benchmarks.soak", "--worker"]
    command += [bootstrap, f"{folder}/state", store, guarantee]
    with Path(folder, "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            end(process)


def soak(minutes: float, store: str, guarantee: str) -> tuple[dict[str, Course], float]:
    """What became of the worker and of the broker, and how many records a second were processed."""
    looks: dict[str, list[Look]] = {"worker": [], "broker": []}
    with ExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="millstream-soak-"))
        bootstrap, broker = held.enter_context(embedded(OTHERS_CORE))
        feed = Feed(bootstrap)
        held.callback(feed.close)
        process = held.enter_context(worker(bootstrap, folder, store, guarantee))
        begin = told = time.monotonic()
        while (now := time.monotonic()) < begin + 60 * minutes:
            feed.step()
            if process.poll() is not None:
                raise RuntimeError(f"the worker ended with {process.returncode}:\n{Path(folder, 'log').read_text()}")
            if now >= told + LOOK_EVERY_S:
                told = now
                looks["worker"].append(look(process.pid))
                looks["broker"].append(look(broker))
                seen = ", ".join(f"{name} {of[-1].memory_mb:.0f} MB {of[-1].files} files" for name, of in looks.items())
                print(f"{now - begin:5.0f} s: {feed.committed:,} processed; {seen}", file=sys.stderr, flush=True)
        rate = feed.committed / (time.monotonic() - begin)
    return {name: course(of, memory_counts=name == "worker") for name, of in looks.items()}, rate


def table(found: dict[str, Course]) -> str:
    """In Markdown, by thirds of the run.

    >>> print(table({"worker": Course((90.0, 99.5, 100.0), (20.0, 21.0, 21.0))}))
    | | memory, MB | open files | grown |
    |---|---|---|---|
    | worker | 90, 100, 100 | 20, 21, 21 | no |
    """
    lines = ["| | memory, MB | open files | grown |", "|---|---|---|---|"]
    for name, of in found.items():
        memory, files = (", ".join(f"{each:.0f}" for each in part) for part in (of.memory_mb, of.files))
        lines.append(f"| {name} | {memory} | {files} | {'YES' if of.grown else 'no'} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--store", choices=("memory", "rocksdb"), default="memory")
    parser.add_argument("--guarantee", choices=("at_least_once", "exactly_once_v2"), default="at_least_once")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        application(*options.worker).run()
        return 0
    if options.minutes < LEAST_MINUTES:
        parser.error(f"--minutes: give {LEAST_MINUTES:g} or more, so that each third has some looks")
    os.sched_setaffinity(0, {OTHERS_CORE})
    found, rate = soak(options.minutes, options.store, options.guarantee)
    what = f"{options.minutes:g} minutes, {options.store}, {options.guarantee}, {rate:,.0f} records/s; {description()}"
    print(f"\n{what}; by thirds of the run\n\n{table(found)}")
    return int(any(each.grown for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
