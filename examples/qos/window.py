"""The aggregate of a location and CDN over one window: integer sums, and which reports they hold."""

from __future__ import annotations

import msgspec

from .definitions import WINDOW_MS
from .model import Report
from .quality import cause
from .results import PlaceFigures


class WindowSums(msgspec.Struct):
    """Sums of one window. `counted` has the number of the last report counted of each session.

    A session's reports come in the order of their numbers, so a report that comes a second time (delivery is
    at least once) is recognised and changes nothing.
    """

    reports: int = 0
    bad_reports: int = 0
    bitrate_kbps: int = 0
    throughput_kbps: int = 0
    chunk_ms: int = 0
    rebuffer_ms: int = 0
    starts: int = 0
    startup_ms: int = 0
    counted: dict[str, int] = {}


def add(report: Report, sums: WindowSums) -> WindowSums:
    """Count a report, in place; one that was counted before changes nothing."""
    if sums.counted.get(report.session, -1) >= report.number:
        return sums
    sums.counted[report.session] = report.number
    sums.reports += 1
    sums.bad_reports += cause(report) is not None
    sums.bitrate_kbps += report.bitrate_kbps
    sums.throughput_kbps += report.throughput_kbps
    sums.chunk_ms += report.chunk_ms
    sums.rebuffer_ms += min(report.rebuffer_ms, WINDOW_MS)
    sums.starts += report.startup_ms > 0
    sums.startup_ms += report.startup_ms
    return sums


def figures(sums: WindowSums) -> PlaceFigures:
    """The quotients of the sums; needs at least one report."""
    return PlaceFigures(
        reports=sums.reports,
        bad_reports=sums.bad_reports,
        bad_share=sums.bad_reports / sums.reports,
        bitrate_kbps=sums.bitrate_kbps / sums.reports,
        throughput_kbps=sums.throughput_kbps / sums.reports,
        starts=sums.starts,
        startup_ms=sums.startup_ms / sums.starts if sums.starts else 0.0,
        rebuffer_ratio=sums.rebuffer_ms / (sums.rebuffer_ms + sums.chunk_ms),
    )
