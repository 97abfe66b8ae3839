"""One run of an application, from its start until everything is processed, with what it cost."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.engines import Run
from benchmarks.node import on_core
from benchmarks.progress import Progress

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LOOK_EVERY_S = 0.1
STOP_LIMIT_S = 30.0
COMPILERS = ("C1 CompilerThre", "C2 CompilerThre")  # the names of threads end after fifteen characters
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Mark:
    """What a process had used at `wall_s` after its start, when `work` records were committed.

    `work` counts those of the input and those of repartition topics: an application may be far ahead in the one and
    behind in the other. `compiling_s` is the part of `cpu_s` (user and system) that the JVM's compilers took.
    """

    wall_s: float
    cpu_s: float
    work: int
    compiling_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost, its start included.

    `late_cpu_us` is that of the second half, and `compiling_us` what the JVM's compilers took of this; None: the run
    was too short to tell.
    """

    records: int
    wall_s: float
    cpu_us: float
    late_cpu_us: float | None
    compiling_us: float | None
    peak_mb: float

    @property
    def per_second(self) -> float:
        return self.records / self.wall_s


def cost(marks: list[Mark], records: int, peak_mb: float) -> Cost:
    """The cost of a run by record of the input, from what was seen of it; the last mark is its end.

    >>> cost([Mark(0, 0.0, 0), Mark(1, 1.0, 400), Mark(2, 1.8, 600), Mark(3, 2.2, 1000)], 1000, 80.0).late_cpu_us
    1600.0
    """
    end = marks[-1]

    def late_us(seconds: Callable[[Mark], float]) -> float | None:
        late_s = seconds(end) - _at(end.work / 2, marks, seconds)
        return round(late_s * 1e6 / (records / 2), 3) if len(marks) > 2 else None

    return Cost(
        records,
        end.wall_s,
        end.cpu_s * 1e6 / records,
        late_us(lambda mark: mark.cpu_s),
        late_us(lambda mark: mark.compiling_s),
        peak_mb,
    )


def _at(work: float, marks: list[Mark], seconds: Callable[[Mark], float]) -> float:
    """The seconds used when so much was committed: on the line between the marks before and after."""
    for before, after in pairwise(marks):
        if after.work >= work:
            share = (work - before.work) / (after.work - before.work)
            return seconds(before) + share * (seconds(after) - seconds(before))
    return seconds(marks[-1])


def measure(run: Run, records: int, core: int, limit_s: float) -> Cost:
    """Run until every record is processed and committed; RuntimeError when that takes too long or the process ends."""
    progress = Progress(run.bootstrap, run.application_id, run.workload.load.topic)
    started = time.monotonic()
    marks = [Mark(0.0, 0.0, 0)]
    with running(run, core) as process:
        while True:
            done = progress.complete(records)
            committed = progress.committed()
            work = committed + progress.repartitioned()
            wall_s = time.monotonic() - started
            if process.poll() is not None or wall_s > limit_s:
                raise RuntimeError(
                    f"{run.engine} on {run.workload.name} {_fate(process)} with {committed} of {records} records "
                    f"committed:\n{log_of(run).read_text(errors='replace')[-3000:]}"
                )
            if work > marks[-1].work:
                marks.append(Mark(wall_s, cpu_s(process.pid), work, compiling_s(process.pid)))
            if done:
                return cost(marks, records, peak_mb(process.pid))
            time.sleep(LOOK_EVERY_S)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process with all its threads, user and system, those that have ended included."""
    return _used(Path(f"/proc/{pid}/stat"))[1]


def compiling_s(pid: int) -> float:
    """CPU seconds of a JVM's compiler threads; 0 for other processes."""
    used = (_used(thread / "stat") for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(seconds for name, seconds in used if name.startswith(COMPILERS))


def _used(stat: Path) -> tuple[str, float]:
    """The name and the CPU seconds, user and system, of a process or a thread; nothing of one that has ended."""
    try:
        head, _, after_name = stat.read_text().rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return "", 0.0
    fields = after_name.split()
    return head.partition("(")[2], (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def peak_mb(pid: int) -> float:
    """The most memory that a process has had (resident)."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


@contextmanager
def running(run: Run, core: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The application of a run, on one core or on all, with a folder for its state and its log."""
    run.folder.mkdir(parents=True)
    with log_of(run).open("wb") as log:
        process = subprocess.Popen(
            [*on_core(core), *run.command()],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            end(process)


def _environment() -> dict[str, str]:
    """What a process is given: bytecode of modules is kept, as it is of programs that are installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and kill it when it doesn't."""
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_LIMIT_S)


def log_of(run: Run) -> Path:
    """What the application has said."""
    return run.folder / "log"


def _fate(process: subprocess.Popen[bytes]) -> str:
    return "was not done in time" if process.returncode is None else f"ended with {process.returncode}"
