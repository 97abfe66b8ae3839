"""What comes out: alerts, a location's figures, anomalies, drop-offs. Times are event time, ms since the epoch."""

from __future__ import annotations

from typing import Literal

import millstream as ms

from .model import Benchmark


class PlaceFigures(ms.Record):
    """A window's figures of one location and CDN. Means and shares are plain quotients of integer sums."""

    reports: int
    bad_reports: int
    bad_share: float
    bitrate_kbps: float
    throughput_kbps: float
    starts: int
    startup_ms: float
    rebuffer_ratio: float


class Alert(ms.Record):
    """A location falls below its CDN's benchmark ("open"), or is back ("closed")."""

    status: Literal["open", "closed"]
    location: str
    cdn: str
    at_ms: int
    opened_ms: int
    window_ms: int
    reasons: tuple[str, ...]
    figures: PlaceFigures
    benchmark: Benchmark


class PlaceQuality(ms.Record):
    """A location and CDN as it stands: figures so far of its window against the benchmark."""

    location: str
    cdn: str
    window_ms: int
    last_report_ms: int
    alert_open: bool
    figures: PlaceFigures
    benchmark: Benchmark


class Anomaly(ms.Record):
    """A stream fell against its own past ("fell"), came back ("recovered"), or stayed where it is ("settled")."""

    status: Literal["fell", "recovered", "settled"]
    session: str
    location: str
    cdn: str
    at_ms: int
    since_ms: int
    throughput_kbps: int
    usual_kbps: int
    score: float


class Dropoff(ms.Record):
    """A viewer fell silent while the last reports were bad. `at_ms` is when the silence had lasted long enough."""

    session: str
    location: str
    cdn: str
    at_ms: int
    last_report_ms: int
    reason: str
    bad_reports: int
    last_reports: int
