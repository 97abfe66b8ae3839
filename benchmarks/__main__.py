"""`python -m benchmarks`: run the workloads on both engines, compare their outputs, print the table.

`--also` runs them on other libraries for Python as well, and adds a table of these.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.chart import chart
from benchmarks.data import BENCHMARKS_TOPIC, CONTRACTS_TOPIC, benchmarks, contracts, reports
from benchmarks.engines import ENGINES, Engine, Run, build
from benchmarks.machine import description
from benchmarks.measure import measure
from benchmarks.node import Topics, node
from benchmarks.others import OTHERS, Other, named
from benchmarks.outputs import Written, read, summary, windowed
from benchmarks.results import Result, Side, others_table, table
from benchmarks.workloads import SESSIONS, Workload, chosen

APP_CORE, NODE_CORE = 0, 1


def main() -> int:
    options = _options()
    workloads, others = chosen(options.only), named(options.also)
    build()
    for other in OTHERS.values():
        if other in others or other.name == options.engine:
            other.python()
    with tempfile.TemporaryDirectory(prefix="millstream-benchmarks-") as folder, node(NODE_CORE) as kafka:
        comparison = Comparison(kafka.bootstrap, Path(folder), options, others)
        comparison.fill(workloads)
        results = [result for workload in workloads if (result := comparison.result(workload)) is not None]
    if not results:
        return 0
    caption = f"{options.records:,} records; {description()}"
    tables = table(results) + (f"\n{others_table(results)}" if others else "")
    print(f"\n{caption}\n\n{tables}", flush=True)
    if options.to is not None:
        options.to.mkdir(parents=True, exist_ok=True)
        (options.to / "benchmarks.svg").write_text(chart(results, f"{options.records:,} records, one core"))
        (options.to / "benchmarks-table.md").write_text(f"{caption}\n\n{tables}")
    return 0 if all(result.same for result in results) else 1


class Comparison:
    """The engines, one after the other, on one node."""

    def __init__(self, bootstrap: str, folder: Path, options: argparse.Namespace, others: list[Other]) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._options = options
        self._others = others
        self._topics = Topics(bootstrap)

    def fill(self, workloads: list[Workload]) -> None:
        """Write every input that these workloads read."""
        self._topics.fill(CONTRACTS_TOPIC, contracts(SESSIONS.sessions))
        self._topics.fill(BENCHMARKS_TOPIC, benchmarks())
        for load in dict.fromkeys(workload.load for workload in workloads):
            self._topics.fill(load.topic, reports(load, self._options.records))

    def result(self, workload: Workload) -> Result | None:
        """All engines' runs; None when only one of them was asked for."""
        if self._options.engine is not None:
            self._side(self._options.engine, workload)
            return None
        jvm, ours = (self._side(engine, workload) for engine in ENGINES)
        others = {other.name: self._other(other, workload) for other in self._others}
        result = Result(workload, jvm, ours, others)
        for engine, side in result.sides.items():
            if not result.agrees(side):
                print(
                    f"{workload.name}: THE ANSWERS DIFFER: {engine} has {side.outputs}, not {jvm.outputs}", flush=True
                )
        return result

    def _other(self, other: Other, workload: Workload) -> Side | str:
        """Its runs, or why it has no program."""
        return other.lacks.get(workload.name) or self._side(other.name, workload)

    def _side(self, engine: Engine, workload: Workload) -> Side:
        """The best of the runs, by CPU per record: noise of other programs only adds."""
        sides = [self._run(engine, workload, number) for number in range(self._options.runs)]
        if len({(side.outputs.answers, side.outputs.digest) for side in sides}) > 1:
            raise RuntimeError(f"{engine} on {workload.name}: two runs gave different answers: {sides}")
        return min(sides, key=lambda side: side.cost.cpu_us)

    def _run(self, engine: Engine, workload: Workload, number: int) -> Side:
        folder = self._folder / f"{engine}-{workload.name}-{number}"
        run = Run(engine, workload, number, self._bootstrap, folder, self._options.commit_ms)
        self._topics.create(run.output)
        cost = measure(run, self._options.records, APP_CORE, self._options.limit)
        side = Side(cost, summary(self._written(run), workload.compared))
        self._topics.remove(run.application_id)
        late, compiling = ("-" if us is None else f"{us:.2f}" for us in (cost.late_cpu_us, cost.compiling_us))
        print(
            f"{workload.name:4} {engine:14} {cost.per_second:10,.0f}/s {cost.cpu_us:6.2f} us, 2nd half {late:>5} us, "
            f"of it compiling {compiling}, "
            f"{cost.peak_mb:5.0f} MB, {side.outputs.written:,} written, {side.outputs.answers:,} answers",
            flush=True,
        )
        return side

    def _written(self, run: Run) -> Iterable[Written]:
        records = read(self._bootstrap, run.output)
        if run.engine in ENGINES or run.workload.windows is None:
            return records
        return windowed(records, run.workload.windows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=5_000_000, help="records of input (5,000,000)")
    parser.add_argument("--only", help="workloads, such as W1,W2 (all)")
    parser.add_argument(
        "--engine",
        choices=[*ENGINES, *(other.name for other in OTHERS.values())],
        help="run this engine alone; nothing is compared",
    )
    parser.add_argument("--also", help=f"other libraries to compare with: {','.join(OTHERS)} (none)")
    parser.add_argument("--runs", type=int, default=1, help="run each this often and take the cheapest (1)")
    parser.add_argument("--commit-ms", type=int, default=1_000, help="commit interval of both, in ms (1000)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that a run may take (600)")
    parser.add_argument("--to", type=Path, help="folder to write the table and the chart to")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
