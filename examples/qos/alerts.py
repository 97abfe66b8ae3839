"""An alert's life: it opens when a window's figures fall below the benchmark, and closes when they are back."""

from __future__ import annotations

from math import sqrt
from typing import Final

from msgspec.structs import replace

import millstream as ms

from .definitions import (
    BACK_BAD_SHARE,
    BACK_REBUFFER,
    BACK_STARTUP,
    BACK_THROUGHPUT,
    MIN_REPORTS,
    MIN_STARTS,
    OPEN_BAD_SHARE,
    OPEN_REBUFFER,
    OPEN_STARTUP,
    OPEN_THROUGHPUT,
    SILENT_GROUP_MS,
    TICK_MS,
)
from .model import Benchmark, Place
from .results import Alert, PlaceFigures

BAD_REPORTS: Final = "bad reports"
THROUGHPUT: Final = "throughput"
STARTUP: Final = "start-up"
REBUFFERING: Final = "rebuffering"
BACK: Final = "back"
NO_REPORTS: Final = "no reports"


class Watch(ms.Record):
    """What is kept of one place: how far its newest window is, its newest report, and the alert while one is open."""

    window_ms: int
    reports: int
    last_report_ms: int
    alert: Alert | None = None


class Update(ms.Record):
    """A window's figures after one more report, which was made at `at_ms`, with the benchmark of the CDN."""

    window_ms: int
    at_ms: int
    figures: PlaceFigures
    benchmark: Benchmark


def step(watch: Watch | None, place: Place, update: Update) -> tuple[Watch, list[Alert]]:
    """Take one update of a place: what to keep, and the alerts to send, in order.

    An update that isn't newer than what was seen (an older window's, or without a further report) changes nothing.
    """
    told: list[Alert] = []
    seen = (update.window_ms, update.figures.reports)
    alert: Alert | None = None
    last_report_ms = update.at_ms
    if watch is not None:
        if seen <= (watch.window_ms, watch.reports):
            return watch, told
        alert = watch.alert
        last_report_ms = max(watch.last_report_ms, last_report_ms)
        silent = went_silent(watch, update.at_ms)
        if silent is not None:
            told.append(silent)
            alert = None
    change = _opened(place, update) if alert is None else _closed(alert, update)
    if change is not None:
        told.append(change)
        alert = change if change.status == "open" else None
    return Watch(*seen, last_report_ms, alert), told


def silent_at(last_report_ms: int) -> int:
    """When a place counts as silent: its delay after the last report, at the next full tick."""
    return -(-(last_report_ms + SILENT_GROUP_MS) // TICK_MS) * TICK_MS


def went_silent(watch: Watch, now_ms: int) -> Alert | None:
    """The end of an open alert whose place has sent nothing for long enough by `now_ms`."""
    due_ms = silent_at(watch.last_report_ms)
    if watch.alert is None or now_ms < due_ms:
        return None
    return replace(watch.alert, status="closed", at_ms=due_ms, reasons=(NO_REPORTS,))


def below(figures: PlaceFigures, promised: Benchmark) -> tuple[str, ...]:
    """In which respects the figures are below the benchmark, so that an alert opens; () if in none.

    Few reports say little: `doubt` shrinks with their number.
    """
    if figures.reports < MIN_REPORTS:
        return ()
    doubt = 1.0 / sqrt(figures.reports)
    reasons: list[str] = []
    if figures.bad_share > promised.rebuffer_ratio + OPEN_BAD_SHARE + doubt:
        reasons.append(BAD_REPORTS)
    if figures.throughput_kbps < promised.throughput_kbps * OPEN_THROUGHPUT * (1.0 - doubt):
        reasons.append(THROUGHPUT)
    if figures.starts >= MIN_STARTS:
        start_doubt = 1.0 / sqrt(figures.starts)
        if figures.startup_ms > promised.startup_ms * OPEN_STARTUP * (1.0 + start_doubt):
            reasons.append(STARTUP)
    if figures.rebuffer_ratio > promised.rebuffer_ratio + OPEN_REBUFFER + doubt:
        reasons.append(REBUFFERING)
    return tuple(reasons)


def back(figures: PlaceFigures, promised: Benchmark) -> bool:
    """Whether the figures are as promised again, so that an alert closes. Stricter than not being `below`."""
    if figures.reports < MIN_REPORTS:
        return False
    return (
        figures.bad_share <= promised.rebuffer_ratio + BACK_BAD_SHARE
        and figures.throughput_kbps >= promised.throughput_kbps * BACK_THROUGHPUT
        and (figures.starts < MIN_STARTS or figures.startup_ms <= promised.startup_ms * BACK_STARTUP)
        and figures.rebuffer_ratio <= promised.rebuffer_ratio + BACK_REBUFFER
    )


def _opened(place: Place, update: Update) -> Alert | None:
    reasons = below(update.figures, update.benchmark)
    if not reasons:
        return None
    return Alert(
        status="open",
        location=place.location,
        cdn=place.cdn,
        at_ms=update.at_ms,
        opened_ms=update.at_ms,
        window_ms=update.window_ms,
        reasons=reasons,
        figures=update.figures,
        benchmark=update.benchmark,
    )


def _closed(alert: Alert, update: Update) -> Alert | None:
    if update.window_ms == alert.window_ms or not back(update.figures, update.benchmark):
        return None
    return Alert(
        status="closed",
        location=alert.location,
        cdn=alert.cdn,
        at_ms=update.at_ms,
        opened_ms=alert.opened_ms,
        window_ms=update.window_ms,
        reasons=(BACK,),
        figures=update.figures,
        benchmark=update.benchmark,
    )
