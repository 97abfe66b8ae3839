"""The definitions of README.md computed a second time, in batches over whole lists, without an engine.

Tests compare the application's results with these. Nothing is shared with the application but its numbers:
input is read with the standard library's json, results are plain JSON objects.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain, groupby, pairwise
from typing import Any, TypeAlias

from . import definitions as d
from .schedule import Row

Json: TypeAlias = dict[str, Any]
Timed: TypeAlias = tuple[int, Json]

TEXTS = ("session", "location", "cdn")
AT_LEAST_ZERO = (
    "number",
    "bitrate_kbps",
    "throughput_kbps",
    "chunk_kbit",
    "delivery_ms",
    "startup_ms",
    "rebuffer_ms",
)
CAUSES = ("rebuffering", "slow delivery", "slow start-up")


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come out: each list sorted by its subject (place or session), then in order of time."""

    reports: int
    dead_letters: int
    alerts: list[Json]
    anomalies: list[Json]
    dropoffs: list[Json]


def expected(records: Iterable[Row], benchmarks: Mapping[str, Json]) -> Expected:
    """Everything that must come out of these records of `client-reports`, given benchmarks that don't change.

    Raises:
        ValueError: a partition's timestamps go back; lateness isn't computed here.
    """
    sessions: dict[str, list[Timed]] = defaultdict(list)
    places: dict[tuple[str, str], list[Timed]] = defaultdict(list)
    stream_ms: dict[int, int] = {}
    grouped_ms: dict[int, int] = {}
    partition_of: dict[tuple[str, str] | str, int] = {}
    reports = dead_letters = 0
    for partition, at_ms, _, value in records:
        if at_ms < stream_ms.get(partition, 0):
            raise ValueError(f"client-reports-{partition} goes back to {at_ms}")
        stream_ms[partition] = at_ms
        if value is None:
            continue
        reports += 1
        report = _read(value)
        if report is None:
            dead_letters += 1
            continue
        place = (report["location"], report["cdn"])
        grouped_ms[partition] = at_ms
        partition_of[place] = partition_of[report["session"]] = partition
        sessions[report["session"]].append((at_ms, report))
        places[place].append((at_ms, report))
    return Expected(
        reports,
        dead_letters,
        [
            alert
            for place in sorted(places)
            if place[1] in benchmarks
            for alert in _alerts(place, places[place], benchmarks[place[1]], grouped_ms[partition_of[place]])
        ],
        [anomaly for session in sorted(sessions) for anomaly in _anomalies(sessions[session])],
        [
            dropoff
            for session in sorted(sessions)
            for dropoff in _dropoffs(sessions[session], stream_ms[partition_of[session]])
        ],
    )


def _read(value: bytes) -> Json | None:
    try:
        report = json.loads(value)
        texts = [report[name] for name in TEXTS]
        numbers = [report[name] for name in AT_LEAST_ZERO]
        numbers.append(report["chunk_ms"] - 1)
    except (ValueError, KeyError, TypeError):
        return None
    if any(type(text) is not str or not text for text in texts):
        return None
    if any(type(number) is not int or number < 0 for number in numbers):
        return None
    return report  # type: ignore[no-any-return]


def _cause(report: Json) -> str | None:
    applies = (
        report["rebuffer_ms"] > 0,
        report["delivery_ms"] > report["chunk_ms"],
        report["startup_ms"] > d.SLOW_START_MS,
    )
    return next((name for name, yes in zip(CAUSES, applies, strict=True) if yes), None)


# --- drop-offs


def _dropoffs(series: list[Timed], stream_ms: int) -> Iterator[Json]:
    ends = [i for i, (a, b) in enumerate(pairwise(series), 1) if b[0] - a[0] >= d.SILENT_SESSION_MS]
    if stream_ms - series[-1][0] >= d.SILENT_SESSION_MS:
        ends.append(len(series))
    for start, end in pairwise([0, *ends]):
        last = series[start:end][-d.LAST_REPORTS :]
        causes = [name for name in map(_cause, (report for _, report in last)) if name is not None]
        if len(causes) / len(last) > 0.5:
            last_ms, report = last[-1]
            yield {
                "session": report["session"],
                "location": report["location"],
                "cdn": report["cdn"],
                "at_ms": last_ms + d.SILENT_SESSION_MS,
                "last_report_ms": last_ms,
                "reason": min(set(causes), key=lambda name: (-causes.count(name), CAUSES.index(name))),
                "bad_reports": len(causes),
                "last_reports": len(last),
            }


# --- anomalies


def _anomalies(series: list[Timed]) -> Iterator[Json]:
    start = 0
    for i in range(1, len(series) + 1):
        if i == len(series) or series[i][0] - series[i - 1][0] >= d.FORGET_MS:
            yield from _anomalies_of_run(series[start:i])
            start = i


def _anomalies_of_run(series: list[Timed]) -> Iterator[Json]:
    learned = 0
    mean = variance = 0.0
    suspects: list[int] = []
    fallen = False
    usual_in_a_row = 0
    for at_ms, report in series:
        slow = report["delivery_ms"] > report["chunk_ms"] / 2
        if report["chunk_kbit"] < d.MIN_CHUNK_KBIT and not slow:
            continue
        x = math.log(report["throughput_kbps"] or 1)
        told: str | None = None
        score = 0.0
        learn = True
        if learned >= d.WARM_UP:
            score = (x - mean) / max(math.sqrt(variance), d.MIN_DEVIATION)
            if fallen:
                learn = score > d.BACK_SCORE
                usual_in_a_row = usual_in_a_row + 1 if learn else 0
                if not learn:
                    suspects.append(at_ms)
                told = (
                    "recovered"
                    if usual_in_a_row == d.BACK_READINGS
                    else "settled"
                    if len(suspects) == d.SETTLED_READINGS and not learn
                    else None
                )
            elif score <= d.FALL_SCORE and slow:
                learn = False
                suspects.append(at_ms)
                told = "fell" if len(suspects) == d.FALL_READINGS else None
            else:
                suspects = []
        if told is not None:
            yield {
                "status": told,
                "session": report["session"],
                "location": report["location"],
                "cdn": report["cdn"],
                "at_ms": at_ms,
                "since_ms": suspects[0],
                "throughput_kbps": report["throughput_kbps"],
                "usual_kbps": round(math.exp(mean)),
                "score": score,
            }
            fallen = told == "fell"
            usual_in_a_row = 0
            if not fallen:
                suspects = []
            if told == "settled":
                learned = 0
                learn = True
        if learn and learned == 0:
            learned, mean, variance = 1, x, 0.0
        elif learn:
            step = d.ALPHA * (x - mean)
            variance = (1.0 - d.ALPHA) * (variance + (x - mean) * step)
            mean = mean + step
            learned += 1


# --- alerts


@dataclass(frozen=True, slots=True)
class _Evaluation:
    at_ms: int
    window_ms: int
    figures: Json
    reasons: list[str]
    is_back: bool


def _alerts(place: tuple[str, str], series: list[Timed], promised: Json, stream_ms: int) -> Iterator[Json]:
    since: _Evaluation | None = None
    for now, following in pairwise(chain(_evaluations(series, promised), [None])):
        assert now is not None
        if since is None and now.reasons:
            since = now
            yield _alert("open", place, promised, now, now, now.reasons)
        elif since is not None and now.is_back and now.window_ms != since.window_ms:
            yield _alert("closed", place, promised, since, now, ["back"])
            since = None
        due_ms = math.ceil((now.at_ms + d.SILENT_GROUP_MS) / d.TICK_MS) * d.TICK_MS
        if since is not None and due_ms <= (stream_ms if following is None else following.at_ms):
            closed = _alert("closed", place, promised, since, since, ["no reports"])
            yield closed | {"at_ms": due_ms}
            since = None


def _evaluations(series: list[Timed], promised: Json) -> Iterator[_Evaluation]:
    for window, timed in groupby(series, key=lambda item: item[0] // d.WINDOW_MS):
        in_window = list(timed)
        columns = [
            (
                1,
                _cause(report) is not None,
                report["bitrate_kbps"],
                report["throughput_kbps"],
                report["chunk_ms"],
                min(report["rebuffer_ms"], d.WINDOW_MS),
                report["startup_ms"] > 0,
                report["startup_ms"],
            )
            for _, report in in_window
        ]
        running = [list(accumulate(column)) for column in zip(*columns, strict=True)]
        for (at_ms, _), sums in zip(in_window, zip(*running, strict=True), strict=True):
            reports, bad, bitrate, throughput, chunk_ms, rebuffer_ms, starts, startup_ms = sums
            figures = {
                "reports": reports,
                "bad_reports": int(bad),
                "bad_share": bad / reports,
                "bitrate_kbps": bitrate / reports,
                "throughput_kbps": throughput / reports,
                "starts": int(starts),
                "startup_ms": startup_ms / starts if starts else 0.0,
                "rebuffer_ratio": rebuffer_ms / (rebuffer_ms + chunk_ms),
            }
            yield _Evaluation(
                at_ms, window * d.WINDOW_MS, figures, _reasons(figures, promised), _is_back(figures, promised)
            )


def _reasons(figures: Json, promised: Json) -> list[str]:
    n, starts = figures["reports"], figures["starts"]
    if n < d.MIN_REPORTS:
        return []
    doubt = 1.0 / math.sqrt(n)
    start_doubt = 1.0 / math.sqrt(starts) if starts else math.inf
    lowest = promised["throughput_kbps"] * d.OPEN_THROUGHPUT * (1.0 - doubt)
    slowest = promised["startup_ms"] * d.OPEN_STARTUP * (1.0 + start_doubt)
    tests = {
        "bad reports": figures["bad_share"] > promised["rebuffer_ratio"] + d.OPEN_BAD_SHARE + doubt,
        "throughput": figures["throughput_kbps"] < lowest,
        "start-up": starts >= d.MIN_STARTS and figures["startup_ms"] > slowest,
        "rebuffering": figures["rebuffer_ratio"] > promised["rebuffer_ratio"] + d.OPEN_REBUFFER + doubt,
    }
    return [name for name, failed in tests.items() if failed]


def _is_back(figures: Json, promised: Json) -> bool:
    return not (
        figures["reports"] < d.MIN_REPORTS
        or figures["bad_share"] > promised["rebuffer_ratio"] + d.BACK_BAD_SHARE
        or figures["throughput_kbps"] < promised["throughput_kbps"] * d.BACK_THROUGHPUT
        or (figures["starts"] >= d.MIN_STARTS and figures["startup_ms"] > promised["startup_ms"] * d.BACK_STARTUP)
        or figures["rebuffer_ratio"] > promised["rebuffer_ratio"] + d.BACK_REBUFFER
    )


def _alert(
    status: str, place: tuple[str, str], promised: Json, since: _Evaluation, now: _Evaluation, reasons: list[str]
) -> Json:
    return {
        "status": status,
        "location": place[0],
        "cdn": place[1],
        "at_ms": now.at_ms,
        "opened_ms": since.at_ms,
        "window_ms": now.window_ms,
        "reasons": reasons,
        "figures": now.figures,
        "benchmark": promised,
    }
