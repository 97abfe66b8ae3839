"""One run of an application, from its start until everything is processed, with what it cost."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
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
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Mark:
    """At `wall_s` after the start `records` were committed, and the process had used `cpu_s` (user and system)."""

    wall_s: float
    cpu_s: float
    records: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost, its start included. `late_cpu_us` is that of the second half; None: too short to tell."""

    records: int
    wall_s: float
    cpu_us: float
    late_cpu_us: float | None
    peak_mb: float

    @property
    def per_second(self) -> float:
        return self.records / self.wall_s


def cost(marks: list[Mark], peak_mb: float) -> Cost:
    """The cost of a run from what was seen of it; the last mark is its end.

    >>> cost([Mark(0, 0.0, 0), Mark(1, 1.0, 400), Mark(2, 1.8, 600), Mark(3, 2.2, 1000)], 80.0).late_cpu_us
    1600.0
    """
    end = marks[-1]
    late_s = end.cpu_s - _cpu_s_at(end.records / 2, marks)
    return Cost(
        end.records,
        end.wall_s,
        end.cpu_s * 1e6 / end.records,
        round(late_s * 1e6 / (end.records / 2), 3) if len(marks) > 2 else None,
        peak_mb,
    )


def _cpu_s_at(records: float, marks: list[Mark]) -> float:
    """The CPU time when so many records were committed: on the line between the marks before and after."""
    for before, after in pairwise(marks):
        if after.records >= records:
            share = (records - before.records) / (after.records - before.records)
            return before.cpu_s + share * (after.cpu_s - before.cpu_s)
    return marks[-1].cpu_s


def measure(run: Run, records: int, core: int, limit_s: float) -> Cost:
    """Run until every record is processed and committed; RuntimeError when that takes too long or the process ends."""
    progress = Progress(run.bootstrap, run.application_id, run.workload.load.topic)
    started = time.monotonic()
    marks = [Mark(0.0, 0.0, 0)]
    with running(run, core) as process:
        while True:
            done = progress.complete(records)
            committed = records if done else min(progress.committed(), records - 1)
            wall_s = time.monotonic() - started
            if process.poll() is not None or wall_s > limit_s:
                raise RuntimeError(
                    f"{run.engine} on {run.workload.name} {_fate(process)} with {committed} of {records} records "
                    f"committed:\n{log_of(run).read_text(errors='replace')[-3000:]}"
                )
            if done or committed > marks[-1].records:
                marks.append(Mark(wall_s, cpu_s(process.pid), committed))
            if done:
                return cost(marks, peak_mb(process.pid))
            time.sleep(LOOK_EVERY_S)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process with all its threads, user and system, those that have ended included."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_S


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
