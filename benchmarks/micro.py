"""`python -m benchmarks.micro`: what a record costs in each operator, at few keys and many, in small rounds and large.

The workloads' own tasks are driven without a broker, in one process: decoding, the operator, its store, encoding what
is put out, and the changelog at commits. The cost is CPU time. `--against REVISION` runs the package of that revision
as well, in turns with this one, and tells the ratio of the cheapest runs of both: one above `--limit` is a failure.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import TypeAlias

from benchmarks.data import CONTRACTS_TOPIC, Load, Row, contracts, reports
from benchmarks.measure import ROOT
from benchmarks.programs import application
from millstream.engine import EngineSettings, GlobalTables, Outbox, Wiring, compile_task
from millstream.model import Batch, TopicPartition
from millstream.plan.internal import internal_topics
from millstream.runtime.collector import rare_collections

WORKLOADS = ("W1", "W2", "W2n", "W3", "W4", "W8")  # W5 is two tasks; W2k and W6 are W2
KEYS, SHORT_KEYS = (1_000, 100_000, 1_000_000), (1_000, 100_000)
ROUNDS, SHORT_ROUNDS = (1, 100, 10_000), (100, 10_000)
RECORDS, SHORT_RECORDS = 200_000, 40_000
SMALL_ROUND_SHARE = 10  # rounds of one record are measured with so much fewer of them
COMMIT_RECORDS = 80_000  # a second's
SOURCE, OUTPUT = "input", "output"


@dataclass(frozen=True, slots=True)
class Case:
    workload: str
    keys: int
    round: int

    def __str__(self) -> str:
        return f"{self.workload}, {self.keys:,} keys, rounds of {self.round:,}"


Found: TypeAlias = tuple[Case, float, float | None]  # us a record, of this package and of the other


class Driven:
    """The task of a workload, given records a round at a time."""

    def __init__(self, case: Case) -> None:
        topology = application(case.workload, "micro", SOURCE, OUTPUT).topology()
        self._outbox = Outbox({OUTPUT: 1})
        [spec] = internal_topics(topology, "micro", {SOURCE: 1, CONTRACTS_TOPIC: 1, OUTPUT: 1}).tasks
        wiring = Wiring("micro", EngineSettings(wait_for_inputs_ms=None), self._outbox, GlobalTables(topology), 0)
        self._task = compile_task(topology.subtopology(spec.id.subtopology), spec, wiring, None)
        self._task.start()
        self._offsets: dict[str, int] = {}
        self._uncommitted = 0
        if case.workload == "W3":
            self.round(CONTRACTS_TOPIC, list(contracts(case.keys)))

    def round(self, topic: str, rows: Sequence[Row]) -> None:
        keys, values, times = zip(*rows, strict=True)
        first = self._offsets.get(topic, 0)
        end = self._offsets[topic] = first + len(rows)
        self._task.add(Batch(TopicPartition(topic, 0), range(first, end), times, keys, values, None, end))
        self._task.process(max_rows=len(rows), up_to_ms=None, wall_ms=0)
        self._task.end_round()
        self._outbox.drain()
        self._uncommitted += len(rows)
        if self._uncommitted >= COMMIT_RECORDS:
            self._uncommitted = 0
            self._task.settle({changes.target: self._offsets.get(SOURCE, 0) for changes in self._task.changelog()})
            self._task.committed()

    def close(self) -> None:
        self._task.close()
        if self._task.metrics.records != sum(self._offsets.values()):
            raise RuntimeError(f"{self._task.metrics.records} of {sum(self._offsets.values())} records were processed")


def cost(case: Case, records: int) -> float:
    """CPU of a record in us, after as many that are not measured."""
    measured = records if case.round > 1 else records // SMALL_ROUND_SHARE
    rows = reports(Load(SOURCE, case.keys), records + measured)
    driven = Driven(case)
    seconds = 0.0
    with rare_collections():
        for block in _blocks(islice(rows, records), max(case.round, 1_000)):
            driven.round(SOURCE, block)
        for block in list(_blocks(rows, case.round)):
            begin = time.process_time()
            driven.round(SOURCE, block)
            seconds += time.process_time() - begin
    driven.close()
    return seconds / measured * 1e6


def _blocks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while block := list(islice(rows, size)):
        yield block


def cost_of(package: Path, case: Case, records: int) -> float:
    """With the package of a folder, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.micro", "--case", json.dumps([case.workload, case.keys, case.round])]
    done = subprocess.run(
        [*command, "--records", str(records)],
        env={**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{ROOT}", "PYTHONHASHSEED": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{case} with {package} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout)


def package_of(revision: str, folder: Path) -> Path:
    """The package as it was at a revision of the repository."""
    archive = subprocess.run(
        ["git", "archive", revision, "src"], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    if archive.returncode != 0:
        raise SystemExit(f"there is no revision {revision!r} here: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder / "src"


def table(found: Sequence[Found]) -> str:
    """In Markdown; the ratio to the other revision, if there is one.

    >>> print(table([(Case("W1", 1_000, 100), 1.2, 1.0)]))
    | case | CPU us a record | before | ratio |
    |---|---:|---:|---:|
    | W1, 1,000 keys, rounds of 100 | 1.20 | 1.00 | 1.20 |
    """
    lines = ["| case | CPU us a record | before | ratio |", "|---|---:|---:|---:|"]
    for case, us, before in found:
        cells = ("-", "-") if before is None else (f"{before:.2f}", f"{us / before:.2f}")
        lines.append(f"| {case} | {us:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def compare(
    cases: Sequence[Case], records: int, runs: int, against: Path | None
) -> list[tuple[Case, float, float | None]]:
    """The cheapest of each side's runs: noise of other programs only adds."""
    found: list[Found] = []
    for case in cases:
        ours, others = list[float](), list[float]()
        for _ in range(runs):
            ours.append(cost_of(ROOT / "src", case, records))
            if against is not None:
                try:
                    others.append(cost_of(against, case, records))
                except RuntimeError as error:  # this benchmark drives the inside of the package, which may have changed
                    print(f"the other revision is left out: {error}", file=sys.stderr)
                    against = None
        found.append((case, min(ours), min(others, default=None)))
        print(table(found[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    return found


def main() -> int:
    options = _options()
    if options.case is not None:
        print(cost(Case(*json.loads(options.case)), options.records))
        return 0
    keys, rounds = (SHORT_KEYS, SHORT_ROUNDS) if options.short else (KEYS, ROUNDS)
    records = options.records or (SHORT_RECORDS if options.short else RECORDS)
    names = WORKLOADS if options.only is None else options.only.split(",")
    cases = [Case(*each) for each in product(names, keys, rounds)]
    with tempfile.TemporaryDirectory(prefix="millstream-benchmarks-") as folder:
        against = None if options.against is None else package_of(options.against, Path(folder))
        found = compare(cases, records, options.runs, against)
    print(table(found))
    slower = [case for case, us, before in found if before is not None and us > options.limit * before]
    for case in slower:
        print(f"{case}: more than {options.limit:g} times as dear as {options.against}", file=sys.stderr)
    return int(bool(slower))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="fewer cases and records")
    parser.add_argument("--only", help="workloads, such as W1,W4 (all)")
    parser.add_argument("--records", type=int, help=f"that are measured ({RECORDS:,})")
    parser.add_argument("--runs", type=int, default=3, help="run each this often and take the cheapest (3)")
    parser.add_argument("--against", metavar="REVISION", help="compare with the package of a revision, such as main")
    parser.add_argument("--limit", type=float, default=1.5, help="the ratio above which the comparison fails (1.5)")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
