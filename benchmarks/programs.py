"""The workloads as Millstream applications; java/ has the same for Kafka Streams.

`python -m benchmarks.programs WORKLOAD BOOTSTRAP APPLICATION_ID INPUT OUTPUT STATE_DIR COMMIT_INTERVAL_MS TUNING` runs
one until SIGTERM.
"""

from __future__ import annotations

import sys

import millstream as ms
from benchmarks.data import BENCHMARKS_TOPIC, CONTRACTS_TOPIC
from benchmarks.workloads import chosen

WINDOW = ms.tumbling("10s", grace="5s")


class Report(ms.Record):
    session: str
    location: str
    cdn: str
    bitrate: int
    rebuffer: int
    live: bool
    os: str


class Scored(ms.Record):
    session: str
    location: str
    cdn: str
    bitrate: int
    rebuffer: int
    live: bool
    score: int


class Totals(ms.Record):
    count: int
    bitrate: int


class Contract(ms.Record):
    tier: str
    expected: int


class Rated(ms.Record):
    session: str
    location: str
    bitrate: int
    tier: str
    expected: int


class Pair(ms.Record):
    left: int
    right: int


class Quality(ms.Record):
    reports: int
    bitrate: float


class Alert(ms.Record):
    reports: int
    bitrate: float
    expected: int


def scored(report: Report) -> Scored:
    score = report.bitrate - 1000 * report.rebuffer
    return Scored(report.session, report.location, report.cdn, report.bitrate, report.rebuffer, report.live, score)


def rated(report: Report, contract: Contract) -> Rated:
    return Rated(report.session, report.location, report.bitrate, contract.tier, contract.expected)


def pair(left: Report, right: Report) -> Pair:
    return Pair(left.bitrate, right.bitrate)


def alert(quality: Quality, promised: Contract) -> Alert:
    return Alert(quality.reports, quality.bitrate, promised.expected)


def transformed(app: ms.App, source: str, output: str) -> None:
    app.stream(source, key=str, value=Report).filter(lambda report: report.live).map_values(scored).to(output)


def counted(app: ms.App, source: str, output: str) -> None:
    (
        app.stream(source, key=str, value=Report)
        .group_by_key()
        .windowed_by(WINDOW)
        .aggregate(Totals, count=ms.count(), bitrate=ms.sum("bitrate"))
        .to_stream()
        .to(output)
    )


def joined(app: ms.App, source: str, output: str) -> None:
    contracts = app.table(CONTRACTS_TOPIC, key=str, value=Contract)
    app.stream(source, key=str, value=Report).join(contracts, rated).to(output)


def paired(app: ms.App, source: str, output: str) -> None:
    reports = app.stream(source, key=str, value=Report)
    live = reports.filter(lambda report: report.live)
    poor = reports.filter(lambda report: not report.live and report.bitrate < 4_000_000)
    live.join(poor, pair, window=ms.join_window("5s", grace="5s")).to(output)


def visits(app: ms.App, source: str, output: str) -> None:
    (
        app.stream(source, key=str, value=Report)
        .group_by_key()
        .windowed_by(ms.session("10s", grace="5s"))
        .aggregate(Totals, count=ms.count(), bitrate=ms.sum("bitrate"))
        .to_stream()
        .to(output)
    )


def alerts(app: ms.App, source: str, output: str) -> None:
    promised = app.global_table(BENCHMARKS_TOPIC, key=str, value=Contract)
    (
        app.stream(source, key=str, value=Report)
        .filter(lambda report: report.rebuffer > 0)
        .group_by("location", "cdn")
        .windowed_by(WINDOW)
        .aggregate(Quality, reports=ms.count(), bitrate=ms.mean("bitrate"))
        .to_stream()
        .join(promised, alert, key=lambda window, _quality: window.key.cdn)
        .filter(lambda found: found.bitrate < 0.8 * found.expected)
        .to(output)
    )


PROGRAMS = {
    "W1": transformed,
    "W2": counted,
    "W2n": counted,
    "W2r": counted,
    "W2k": counted,
    "W2kr": counted,
    "W3": joined,
    "W4": paired,
    "W5": alerts,
    "W6": counted,
    "W8": visits,
}


def application(workload: str, application_id: str, source: str, output: str, **settings: object) -> ms.App:
    """The application of a workload, ready to run."""
    (chosen_one,) = chosen(workload)
    if chosen_one.exactly_once:
        settings["processing_guarantee"] = "exactly_once_v2"
    settings["store"] = chosen_one.store
    app = ms.App(application_id, emit="every" if workload == "W2n" else "latest", **settings)
    PROGRAMS[workload](app, source, output)
    return app


if __name__ == "__main__":
    workload, bootstrap, application_id, source, output, state_dir, commit_ms, tuning = sys.argv[1:]
    application(
        workload,
        application_id,
        source,
        output,
        bootstrap_servers=bootstrap,
        state_dir=state_dir,
        commit_interval=int(commit_ms),
        producer={"linger.ms": 0} if tuning == "latency" else {},
    ).run()
