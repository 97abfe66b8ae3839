"""What a run came to: as one JSON object, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from .board import Board
from .scene import Scene

QUANTILES: Final = (0.5, 0.99)


class Summary(msgspec.Struct, frozen=True):
    """`alerts` are those that opened, `late` the records that came too late for their window.

    Latencies are in ms, None without results; README.md says what they are.
    """

    reports: int
    alerts: int
    alerts_closed: int
    anomalies: int
    falls: int
    recoveries: int
    dropoffs: int
    dead_letters: int
    seconds: float
    records_per_s: float
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    late: int
    complete: bool


def summary(board: Board, scene: Scene, seconds: float, *, complete: bool) -> Summary:
    """`seconds` from the first report sent to the last result read."""
    p50, p99 = (board.latency.quantile(share) for share in QUANTILES)
    counts = board.counts
    return Summary(
        reports=scene.sent,
        alerts=counts["opened"],
        alerts_closed=counts["closed"],
        anomalies=counts["anomalies"],
        falls=counts["fell"],
        recoveries=counts["recovered"],
        dropoffs=counts["dropoffs"],
        dead_letters=counts["dead_letters"],
        seconds=round(seconds, 3),
        records_per_s=round(scene.sent / seconds, 1) if seconds > 0 else 0.0,
        latency_p50_ms=None if p50 is None else round(p50, 1),
        latency_p99_ms=None if p99 is None else round(p99, 1),
        late=scene.late,
        complete=complete,
    )


def in_words(told: Summary, board: Board) -> Iterator[str]:
    """The summary as lines of text."""
    reasons = {name.removeprefix("dropoff: "): n for name, n in board.counts.items() if name.startswith("dropoff: ")}
    yield f"{told.reports:,} reports in {told.seconds:,.1f} s: {told.records_per_s:,.0f} a second"
    yield f"{told.alerts} alerts opened, {told.alerts_closed} closed"
    yield f"{told.anomalies} anomalies: {told.falls} streams fell, {told.recoveries} recovered"
    yield f"{told.dropoffs} viewers dropped off" + _listed(reasons)
    if told.dead_letters:
        yield f"{told.dead_letters} malformed reports went to the dead letters"
    if told.latency_p50_ms is not None and told.latency_p99_ms is not None:
        yield f"from report to result: p50 {told.latency_p50_ms:,.0f} ms, p99 {told.latency_p99_ms:,.0f} ms"


def _listed(reasons: dict[str, int]) -> str:
    return (
        ": " + ", ".join(f"{n} {name}" for name, n in sorted(reasons.items(), key=lambda x: -x[1])) if reasons else ""
    )
