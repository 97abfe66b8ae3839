"""What a comparison found, and how it is told: a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Cost
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
    """Both engines' runs of a workload."""

    workload: Workload
    jvm: Side
    ours: Side

    @property
    def ratio(self) -> float:
        """CPU per record: Kafka Streams' second half (warm) to Millstream's whole run."""
        jvm = self.jvm.cost
        return (jvm.cpu_us if jvm.late_cpu_us is None else jvm.late_cpu_us) / self.ours.cost.cpu_us

    @property
    def same(self) -> bool:
        return self.ours.outputs.same_as(self.jvm.outputs)


def table(results: Sequence[Result]) -> str:
    """Results as a Markdown table."""
    rows = [HEADINGS, ("---",) + ("---:",) * (len(HEADINGS) - 2) + ("---",), *map(_row, results)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _row(result: Result) -> tuple[str, ...]:
    jvm, ours = result.jvm.outputs, result.ours.outputs
    answers = f"{ours.answers:,}" if result.same else f"**no**: {jvm.answers:,} and {ours.answers:,}"
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
        f"yes, {answers}" if result.same else answers,
    )


def _used(cost: Cost) -> tuple[str, ...]:
    return f"{cost.per_second:,.0f}", f"{cost.cpu_us:.2f}", _us(cost.late_cpu_us)


def _us(us: float | None) -> str:
    return "-" if us is None else f"{us:.2f}"
