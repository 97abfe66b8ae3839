"""The application's decisions run record by record, each partition by itself, as the topology wires them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from examples.qos import alerts, anomaly, dropoff, window
from examples.qos.definitions import SILENT_SESSION_MS, WINDOW_MS
from examples.qos.model import Benchmark, Place, Report
from examples.qos.results import Alert, Anomaly, Dropoff
from examples.qos.schedule import Row
from examples.qos.timers import Silences


class SessionTask:
    """What watches the sessions of one partition."""

    def __init__(self) -> None:
        self.stream_ms = -1
        self.visits: dict[str, dropoff.Visit] = {}
        self.baselines: dict[str, anomaly.Baseline] = {}
        self.silences = Silences(SILENT_SESSION_MS)
        self.anomalies: list[Anomaly] = []
        self.dropoffs: list[Dropoff] = []

    def take(self, at_ms: int, report: Report | None) -> None:
        if report is not None:
            self._report(at_ms, report)
        self.stream_ms = max(self.stream_ms, at_ms)
        for session, _ in self.silences.due(self.stream_ms):
            self._end(session)

    def _report(self, at_ms: int, report: Report) -> None:
        session = report.session
        self.baselines[session], told = anomaly.step(self.baselines.get(session), report, at_ms)
        if told is not None:
            self.anomalies.append(told)
        visit = self.visits.get(session)
        if visit is not None and dropoff.ended(visit, at_ms):
            self._end(session)
        self.visits[session] = dropoff.seen(self.visits.get(session), report, at_ms)
        self.silences.heard(session, at_ms)

    def _end(self, session: str) -> None:
        told = dropoff.verdict(session, self.visits.pop(session))
        if told is not None:
            self.dropoffs.append(told)


class PlaceTask:
    """What watches the places of one partition of the grouped reports."""

    def __init__(self, benchmarks: Mapping[str, Benchmark]) -> None:
        self.benchmarks = benchmarks
        self.stream_ms = -1
        self.windows: dict[tuple[Place, int], tuple[int, window.WindowSums]] = {}
        self.watches: dict[Place, alerts.Watch] = {}
        self.alerts: list[Alert] = []

    def take(self, at_ms: int, report: Report) -> None:
        self.stream_ms = max(self.stream_ms, at_ms)
        place = Place(cdn=report.cdn, location=report.location)
        start_ms = at_ms // WINDOW_MS * WINDOW_MS
        stored_ms, sums = self.windows.get((place, start_ms), (0, None))
        sums = window.add(report, sums or window.WindowSums())
        updated_ms = max(at_ms, stored_ms)
        self.windows[place, start_ms] = updated_ms, sums
        benchmark = self.benchmarks.get(report.cdn)
        if benchmark is not None:
            update = alerts.Update(start_ms, updated_ms, window.figures(sums), benchmark)
            self.watches[place], told = alerts.step(self.watches.get(place), place, update)
            self.alerts += told
        self._punctuate()

    def _punctuate(self) -> None:
        for place, watch in self.watches.items():
            told = alerts.went_silent(watch, self.stream_ms)
            if told is not None:
                self.alerts.append(told)
                self.watches[place] = msgspec.structs.replace(watch, alert=None)


class Streaming:
    """All tasks. `send_again` > 0: every so many records, the grouped reports since then are delivered again."""

    def __init__(self, benchmarks: Mapping[str, Benchmark], send_again: int = 0) -> None:
        self._decode = msgspec.json.Decoder(Report).decode
        self._sessions: dict[int, SessionTask] = defaultdict(SessionTask)
        self._places: dict[int, PlaceTask] = defaultdict(lambda: PlaceTask(benchmarks))
        self._send_again = send_again
        self._recent: list[tuple[int, int, Report]] = []
        self.dead_letters = 0

    def run(self, rows: Iterable[Row]) -> Streaming:
        for partition, at_ms, _, value in rows:
            report = self._read(value)
            self._sessions[partition].take(at_ms, report)
            if report is not None:
                self._places[partition].take(at_ms, report)
                self._again(partition, at_ms, report)
        return self

    def _read(self, value: bytes | None) -> Report | None:
        if value is None:
            return None
        try:
            return self._decode(value)
        except msgspec.DecodeError:
            self.dead_letters += 1
            return None

    def _again(self, partition: int, at_ms: int, report: Report) -> None:
        if self._send_again:
            self._recent.append((partition, at_ms, report))
            if len(self._recent) == self._send_again:
                for again, then_ms, old in self._recent:
                    self._places[again].take(then_ms, old)
                self._recent.clear()

    def alerts(self) -> list[dict[str, Any]]:
        told = [alert for task in self._places.values() for alert in task.alerts]
        return _json(sorted(told, key=lambda alert: (alert.location, alert.cdn)))

    def anomalies(self) -> list[dict[str, Any]]:
        told = [anomaly for task in self._sessions.values() for anomaly in task.anomalies]
        return _json(sorted(told, key=lambda anomaly: anomaly.session))

    def dropoffs(self) -> list[dict[str, Any]]:
        told = [dropoff for task in self._sessions.values() for dropoff in task.dropoffs]
        return _json(sorted(told, key=lambda dropoff: dropoff.session))


def _json(told: list[Any]) -> list[dict[str, Any]]:
    return msgspec.json.decode(msgspec.json.encode(told))  # type: ignore[no-any-return]
