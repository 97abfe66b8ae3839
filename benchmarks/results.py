"""What a comparison found, and how it is told: a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.engines import Engine
from benchmarks.measure import Cost
from benchmarks.others import OtherName
from benchmarks.outputs import Outputs
from benchmarks.workloads import Workload

HEADINGS = (
    "workload",
    "Kafka Streams: records/s",
    "CPU us",
    "2nd half",
    "of it compiling",
    "peak MB",
    "Millstream: records/s",
    "CPU us",
    "2nd half",
    "peak MB",
    "ratio",
    "target",
    "outputs written",
    "same answers",
)


@dataclass(frozen=True, slots=True)
class Side:
    """One engine's run of a workload."""

    cost: Cost
    outputs: Outputs


@dataclass(frozen=True, slots=True)
class Result:
    """The engines' runs of a workload. Of `others` a text says why there is none."""

    workload: Workload
    jvm: Side
    ours: Side
    others: Mapping[OtherName, Side | str] = field(default_factory=dict)

    @property
    def sides(self) -> dict[Engine, Side]:
        """All runs, by engine."""
        ran: dict[Engine, Side] = {"Kafka Streams": self.jvm, "Millstream": self.ours}
        return ran | {name: side for name, side in self.others.items() if isinstance(side, Side)}

    @property
    def ratio(self) -> float:
        """CPU per record: Kafka Streams' second half (warm) to Millstream's whole run."""
        jvm = self.jvm.cost
        return (jvm.cpu_us if jvm.late_cpu_us is None else jvm.late_cpu_us) / self.ours.cost.cpu_us

    def agrees(self, side: Side) -> bool:
        """Whether a run gave the answers that Kafka Streams gave."""
        return side.outputs.same_as(self.jvm.outputs)

    @property
    def same(self) -> bool:
        """Whether all runs gave the same answers."""
        return all(map(self.agrees, self.sides.values()))


def table(results: Sequence[Result]) -> str:
    """Results as a Markdown table."""
    rows = [HEADINGS, ("---",) + ("---:",) * (len(HEADINGS) - 2) + ("---",), *map(_row, results)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def others_table(results: Sequence[Result]) -> str:
    """Millstream beside the other libraries that were asked for."""
    names = list(results[0].others)
    headings = ["workload", "Millstream: records/s", "CPU us", "peak MB"]
    for name in names:
        headings += [f"{name}: records/s", "CPU us", "peak MB", "same answers"]
    rows = [headings, ["---", *("---:",) * (len(headings) - 1)]]
    for result in results:
        row = [result.workload.name, *_small(result.ours.cost)]
        for name in names:
            side = result.others[name]
            row += [side, "", "", ""] if isinstance(side, str) else [*_small(side.cost), _yes(result.agrees(side))]
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _small(cost: Cost) -> tuple[str, str, str]:
    return f"{cost.per_second:,.0f}", f"{cost.cpu_us:.2f}", f"{cost.peak_mb:.0f}"


def _yes(same: bool) -> str:
    return "yes" if same else "**no**"


def _row(result: Result) -> tuple[str, ...]:
    jvm, ours = result.jvm.outputs, result.ours.outputs
    same = result.agrees(result.ours)
    answers = f"{ours.answers:,}" if same else f"**no**: {jvm.answers:,} and {ours.answers:,}"
    return (
        f"{result.workload.name} {result.workload.what}",
        *_used(result.jvm.cost),
        _us(result.jvm.cost.compiling_us),
        f"{result.jvm.cost.peak_mb:.0f}",
        *_used(result.ours.cost),
        f"{result.ours.cost.peak_mb:.0f}",
        f"{result.ratio:.2f}",
        f"{result.workload.target:.1f}",
        f"{jvm.written:,} / {ours.written:,}",
        f"yes, {answers}" if same else answers,
    )


def _used(cost: Cost) -> tuple[str, ...]:
    return f"{cost.per_second:,.0f}", f"{cost.cpu_us:.2f}", _us(cost.late_cpu_us)


def _us(us: float | None) -> str:
    return "-" if us is None else f"{us:.2f}"
