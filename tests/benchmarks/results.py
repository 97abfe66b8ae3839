"""Made-up results to tell of."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.measure import Cost
from benchmarks.others import OtherName
from benchmarks.outputs import Outputs
from benchmarks.workloads import WORKLOADS

from benchmarks.results import Result, Side


def side(answers: int = 10) -> Side:
    return Side(Cost(1_000, 1.0, 2.0, 1.5, 0.0, 90.0), Outputs(15, answers, 77))


def result(
    jvm_answers: int = 10, *, late_cpu_us: float | None = 3.0, others: Mapping[OtherName, Side | str] | None = None
) -> Result:
    jvm = Side(Cost(1_000, 2.0, 4.0, late_cpu_us, 0.25, 500.0), Outputs(12, jvm_answers, 77))
    return Result(WORKLOADS[1], jvm, side(), others or {})
