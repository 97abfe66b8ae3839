"""The application: players' reports in; alerts, anomalies and drop-offs out. README.md defines each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

from msgspec.structs import replace

import millstream as ms

from . import alerts, anomaly, dropoff, window
from .definitions import (
    ALERTS,
    ANOMALIES,
    BENCHMARKS,
    DEAD_LETTERS,
    DROPOFFS,
    GRACE_MS,
    LOCATIONS,
    REPORTS,
    SILENT_SESSION_MS,
    TICK_MS,
    WALL_ALLOWANCE_MS,
    WINDOW_MS,
)
from .model import Benchmark, Place, Report
from .results import Alert, Anomaly, Dropoff, PlaceQuality
from .timers import RunningTime, Silences

Clock: TypeAlias = Literal["wall", "stream"]

BASELINES: Final = ms.key_value_store("baselines", value=anomaly.Baseline)
VISITS: Final = ms.key_value_store("visits", value=dropoff.Visit)
WATCHES: Final = ms.key_value_store("watches", key=Place, value=alerts.Watch)


def build(clock: Clock = "wall", application_id: str = "qos", **settings: Any) -> ms.App:
    """The application. With `clock="stream"`, for replays, time is told by the records alone; README.md says how."""
    app = ms.App(application_id, on_decode_error="skip", dead_letters=DEAD_LETTERS, **settings)

    reports = app.stream(REPORTS, value=Report).filter(lambda report: report is not None)  # the others are ticks
    benchmarks = app.global_table(BENCHMARKS, value=Benchmark)

    reports.process(AnomalyWatch, stores=[BASELINES], value=Anomaly).to(ANOMALIES)
    reports.process(lambda: DropoffWatch(clock), stores=[VISITS], value=Dropoff).to(DROPOFFS)

    windows = (
        reports.group_by("location", "cdn", key=Place, name="reports-by-place")
        .windowed_by(ms.tumbling(WINDOW_MS, grace=GRACE_MS))
        .aggregate(initializer=window.WindowSums, aggregator=window.add, store="windows", emit="every")
    )
    (
        windows.to_stream()
        .join(benchmarks, key=lambda key, _: key.cdn, value=lambda sums, promised: (sums, promised))
        .process(lambda: AlertWatch(clock), stores=[WATCHES], key=Place, value=Alert)
        .to(ALERTS)
    )
    (
        windows.to_stream(emit="latest")
        .join(benchmarks, key=lambda key, _: key.cdn, value=lambda sums, promised: (sums, promised))
        .process(PlaceView, stores=[WATCHES], key=Place, value=PlaceQuality)
        .to(LOCATIONS)
    )
    return app


class AnomalyWatch:
    """Compares each report of a session with the session's own past."""

    def init(self, context: ms.ProcessorContext) -> None:
        self._forward = context.forward
        self._baselines = context.get_state_store("baselines")

    def process(self, record: ms.Message) -> None:
        report: Report = record.value
        baseline, told = anomaly.step(self._baselines.get(report.session), report, record.timestamp)
        self._baselines.put(report.session, baseline)
        if told is not None:
            self._forward(ms.Message(report.session, told, told.at_ms))


class DropoffWatch:
    """Follows each session's visit, and ends it when the session has been silent for long enough."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def init(self, context: ms.ProcessorContext) -> None:
        self._forward = context.forward
        self._visits = context.get_state_store("visits")
        last_heard = ((session, visit.last_report_ms) for session, visit in self._visits.all())
        self._silences = Silences(SILENT_SESSION_MS, last_heard)
        each_tick(context, self._clock, self._end_silent)

    def process(self, record: ms.Message) -> None:
        report: Report = record.value
        session, at_ms = report.session, record.timestamp
        visit = self._visits.get(session)
        if visit is not None and dropoff.ended(visit, at_ms):
            self._end(session, visit)
            visit = None
        self._visits.put(session, dropoff.seen(visit, report, at_ms))
        self._silences.heard(session, at_ms)

    def _end_silent(self, now_ms: int) -> None:
        for session, _ in self._silences.due(now_ms):
            self._end(session, self._visits[session])
            self._visits.delete(session)

    def _end(self, session: str, visit: dropoff.Visit) -> None:
        told = dropoff.verdict(session, visit)
        if told is not None:
            self._forward(ms.Message(session, told, told.at_ms))


class AlertWatch:
    """Opens and closes the alerts of places, from each update of their windows and from their silence."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def init(self, context: ms.ProcessorContext) -> None:
        self._forward = context.forward
        self._watches = context.get_state_store("watches")
        self._open = {place: None for place, watch in self._watches.all() if watch.alert is not None}
        each_tick(context, self._clock, self._close_silent)

    def process(self, record: ms.Message) -> None:
        place: Place = record.key.key
        sums, promised = record.value
        update = alerts.Update(record.key.window.start, record.timestamp, window.figures(sums), promised)
        watch, told = alerts.step(self._watches.get(place), place, update)
        self._watches.put(place, watch)
        for alert in told:
            self._tell(place, alert)

    def _close_silent(self, now_ms: int) -> None:
        for place in list(self._open):
            watch: alerts.Watch = self._watches[place]
            told = alerts.went_silent(watch, now_ms)
            if told is not None:
                self._watches.put(place, replace(watch, alert=None))
                self._tell(place, told)

    def _tell(self, place: Place, alert: Alert) -> None:
        if alert.status == "open":
            self._open[place] = None
        else:
            self._open.pop(place, None)
        self._forward(ms.Message(place, alert, alert.at_ms))


class PlaceView:
    """Shows a place's newest window as it goes, and whether an alert is open."""

    def init(self, context: ms.ProcessorContext) -> None:
        self._forward = context.forward
        self._watches = context.get_state_store("watches")

    def process(self, record: ms.Message) -> None:
        place: Place = record.key.key
        window_ms = record.key.window.start
        sums, promised = record.value
        watch: alerts.Watch = self._watches[place]
        if window_ms == watch.window_ms:
            shown = PlaceQuality(
                location=place.location,
                cdn=place.cdn,
                window_ms=window_ms,
                last_report_ms=watch.last_report_ms,
                alert_open=watch.alert is not None,
                figures=window.figures(sums),
                benchmark=promised,
            )
            self._forward(ms.Message(place, shown, watch.last_report_ms))


def each_tick(context: ms.ProcessorContext, clock: Clock, callback: Callable[[int], None]) -> None:
    """Call back with the time, each second of stream time; live also where the wall clock has to tell it."""
    context.schedule(TICK_MS, "stream-time", callback)
    if clock == "wall":
        time = RunningTime(WALL_ALLOWANCE_MS)
        context.schedule(
            TICK_MS, "wall-clock", lambda wall_ms: callback(time.now(context.current_stream_time_ms(), wall_ms))
        )


app = build()

if __name__ == "__main__":
    app.run()
