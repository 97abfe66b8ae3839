"""What has come out so far: places as they stand, alerts, anomalies, drop-offs, and how long they took."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ..alerts import NO_REPORTS
from ..definitions import ALERTS, ANOMALIES, DEAD_LETTERS, DROPOFFS, LOCATIONS, MIN_REPORTS, WINDOW_MS
from ..model import Place
from ..results import Alert, Anomaly, Dropoff, PlaceQuality
from .latency import Histogram, SentAt

REMEMBERED: Final = 40
SHOWN_FOR_MS: Final = 3 * WINDOW_MS

_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    ALERTS: msgspec.json.Decoder(Alert),
    LOCATIONS: msgspec.json.Decoder(PlaceQuality),
    ANOMALIES: msgspec.json.Decoder(Anomaly),
    DROPOFFS: msgspec.json.Decoder(Dropoff),
}


@dataclass(slots=True)
class Board:
    """Takes results as they are read; `sent_at` tells when the reports behind them were sent."""

    sent_at: SentAt
    now_ms: int = 0
    last_read_ms: float = 0.0
    places: dict[Place, PlaceQuality] = field(default_factory=dict)
    open_alerts: dict[Place, Alert] = field(default_factory=dict)
    alerts: deque[Alert] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    anomalies: deque[Anomaly] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    dropoffs: deque[Dropoff] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    counts: Counter[str] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=Histogram)

    def take(self, topic: str, value: bytes, read_ms: float) -> None:
        """One record of an output topic, read at that moment of the wall clock."""
        self.last_read_ms = read_ms
        if topic == DEAD_LETTERS:
            self.counts["dead_letters"] += 1
            return
        result = _DECODERS[topic].decode(value)
        match result:
            case PlaceQuality():
                self._place(result, read_ms)
            case Alert():
                self._alert(result, read_ms)
            case Anomaly():
                self.counts["anomalies"] += 1
                self.counts[result.status] += 1
                self.anomalies.append(result)
            case Dropoff():
                self.counts["dropoffs"] += 1
                self.counts[f"dropoff: {result.reason}"] += 1
                self.dropoffs.append(result)

    def worst(self, count: int) -> list[PlaceQuality]:
        """The places that are furthest from what was promised, those with an open alert first."""
        current = [row for row in self.places.values() if row.last_report_ms > self.now_ms - SHOWN_FOR_MS]
        return sorted(current, key=_badness, reverse=True)[:count]

    def _place(self, row: PlaceQuality, read_ms: float) -> None:
        self._took(row.last_report_ms, read_ms)
        self.now_ms = max(self.now_ms, row.last_report_ms)
        place = Place(cdn=row.cdn, location=row.location)
        shown = self.places.get(place)
        # A window that has just begun says little: the one before is shown until it has some reports.
        if shown is None or shown.window_ms == row.window_ms or row.figures.reports >= MIN_REPORTS:
            self.places[place] = row

    def _alert(self, alert: Alert, read_ms: float) -> None:
        place = Place(cdn=alert.cdn, location=alert.location)
        self.alerts.append(alert)
        if alert.status == "open":
            self.counts["opened"] += 1
            self.open_alerts[place] = alert
        else:
            self.counts["closed"] += 1
            self.open_alerts.pop(place, None)
        if alert.reasons != (NO_REPORTS,):
            self._took(alert.at_ms, read_ms)

    def _took(self, event_ms: int, read_ms: float) -> None:
        sent_ms = self.sent_at(event_ms)
        if sent_ms is not None:
            self.latency.add(read_ms - sent_ms)


def _badness(row: PlaceQuality) -> tuple[bool, float]:
    promised = row.benchmark
    shortfall = max(0.0, 1.0 - row.figures.throughput_kbps / promised.throughput_kbps)
    return row.alert_open, row.figures.bad_share + row.figures.rebuffer_ratio + shortfall
