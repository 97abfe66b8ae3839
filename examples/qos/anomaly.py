"""Streams that turn bad against their own recent past: weighted mean and deviation of log throughput."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Literal

from msgspec.structs import replace

import millstream as ms

from .definitions import (
    ALPHA,
    BACK_READINGS,
    BACK_SCORE,
    FALL_READINGS,
    FALL_SCORE,
    FORGET_MS,
    MIN_CHUNK_KBIT,
    MIN_DEVIATION,
    SETTLED_READINGS,
    WARM_UP,
)
from .model import Report
from .results import Anomaly


class Baseline(ms.Record):
    """What is known of one stream.

    `since_ms` is the first reading of a fall, while one is suspected or lasts; `fallen` says that it was announced.
    `away` counts readings not learned since then, `back` the readings in a row that are usual again.
    """

    last_report_ms: int
    readings: int = 0
    mean: float = 0.0
    variance: float = 0.0
    since_ms: int = -1
    fallen: bool = False
    away: int = 0
    back: int = 0


def step(baseline: Baseline | None, report: Report, at_ms: int) -> tuple[Baseline, Anomaly | None]:
    """Take one report of a stream: its new baseline, and what there is to tell. A report not newer changes nothing."""
    if baseline is None or at_ms - baseline.last_report_ms >= FORGET_MS:
        baseline = Baseline(last_report_ms=at_ms)
    elif at_ms <= baseline.last_report_ms:
        return baseline, None
    else:
        baseline = replace(baseline, last_report_ms=at_ms)
    if not measures(report):
        return baseline, None
    reading = log(max(report.throughput_kbps, 1))
    if baseline.readings < WARM_UP:
        return _learned(baseline, reading), None
    score = (reading - baseline.mean) / max(sqrt(baseline.variance), MIN_DEVIATION)
    if baseline.fallen:
        return _while_fallen(baseline, report, reading, score)
    return _while_usual(baseline, report, reading, score)


def measures(report: Report) -> bool:
    """Whether the chunk says something about the network: it was big enough, or too slow for its size."""
    return report.chunk_kbit >= MIN_CHUNK_KBIT or is_slow(report)


def is_slow(report: Report) -> bool:
    """Whether the chunk took more than half of its playing time to arrive."""
    return 2 * report.delivery_ms > report.chunk_ms


def _while_usual(baseline: Baseline, report: Report, reading: float, score: float) -> tuple[Baseline, Anomaly | None]:
    if score > FALL_SCORE or not is_slow(report):
        return _learned(replace(baseline, since_ms=-1, away=0), reading), None
    since_ms = baseline.since_ms if baseline.away else baseline.last_report_ms
    away = baseline.away + 1
    if away < FALL_READINGS:
        return replace(baseline, since_ms=since_ms, away=away), None
    fallen = replace(baseline, since_ms=since_ms, away=away, fallen=True, back=0)
    return fallen, _told("fell", fallen, report, score)


def _while_fallen(baseline: Baseline, report: Report, reading: float, score: float) -> tuple[Baseline, Anomaly | None]:
    if score <= BACK_SCORE:
        away = baseline.away + 1
        if away < SETTLED_READINGS:
            return replace(baseline, away=away, back=0), None
        anew = _learned(Baseline(last_report_ms=baseline.last_report_ms), reading)
        return anew, _told("settled", baseline, report, score)
    back = baseline.back + 1
    if back < BACK_READINGS:
        return _learned(replace(baseline, back=back), reading), None
    usual = replace(baseline, since_ms=-1, fallen=False, away=0, back=0)
    return _learned(usual, reading), _told("recovered", baseline, report, score)


def _learned(baseline: Baseline, reading: float) -> Baseline:
    if baseline.readings == 0:
        return replace(baseline, readings=1, mean=reading, variance=0.0)
    difference = reading - baseline.mean
    increment = ALPHA * difference
    return replace(
        baseline,
        readings=baseline.readings + 1,
        mean=baseline.mean + increment,
        variance=(1.0 - ALPHA) * (baseline.variance + difference * increment),
    )


def _told(status: Literal["fell", "recovered", "settled"], baseline: Baseline, report: Report, score: float) -> Anomaly:
    return Anomaly(
        status=status,
        session=report.session,
        location=report.location,
        cdn=report.cdn,
        at_ms=baseline.last_report_ms,
        since_ms=baseline.since_ms,
        throughput_kbps=report.throughput_kbps,
        usual_kbps=round(exp(baseline.mean)),
        score=score,
    )
