"""The workloads as programs of Quix Streams, run in an environment that has it; arguments as those of `programs`."""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.dataframe.windows import Count, Sum
from quixstreams.models import Topic

from benchmarks.data import CONTRACTS_TOPIC

WINDOW_MS, GRACE_MS = 10_000, 5_000


def scored(report: dict[str, Any]) -> dict[str, Any]:
    kept = {name: report[name] for name in ("session", "location", "cdn", "bitrate", "rebuffer", "live")}
    kept["score"] = report["bitrate"] - 1000 * report["rebuffer"]
    return kept


def rated(report: dict[str, Any], contract: dict[str, Any]) -> dict[str, Any]:
    return {
        "session": report["session"],
        "location": report["location"],
        "bitrate": report["bitrate"],
        "tier": contract["tier"],
        "expected": contract["expected"],
    }


def transformed(_app: Application, reports: StreamingDataFrame) -> StreamingDataFrame:
    return reports.filter(lambda report: report["live"]).apply(scored)


def counted(_app: Application, reports: StreamingDataFrame) -> StreamingDataFrame:
    windows = reports.tumbling_window(WINDOW_MS, grace_ms=GRACE_MS)
    return windows.agg(count=Count(), bitrate=Sum("bitrate")).current()


def joined(app: Application, reports: StreamingDataFrame) -> StreamingDataFrame:
    contracts = app.dataframe(_topic(app, CONTRACTS_TOPIC))
    return reports.join_asof(contracts, how="inner", on_merge=rated)


def visits(_app: Application, reports: StreamingDataFrame) -> StreamingDataFrame:
    windows = reports.session_window(WINDOW_MS, grace_ms=GRACE_MS)
    return windows.agg(count=Count(), bitrate=Sum("bitrate")).current()


PROGRAMS = {
    "W1": transformed,
    "W2": counted,
    "W2n": counted,
    "W2r": counted,
    "W2k": counted,
    "W2kr": counted,
    "W3": joined,
    "W6": counted,
    "W8": visits,
}


def _topic(app: Application, name: str) -> Topic:
    return app.topic(
        name, key_deserializer="str", value_deserializer="json", key_serializer="str", value_serializer="json"
    )


def main(workload: str, bootstrap: str, application_id: str, source: str, output: str, state: str, commit: str) -> None:
    app = Application(
        bootstrap,
        consumer_group=application_id,
        auto_offset_reset="earliest",
        commit_interval=int(commit) / 1000,
        state_dir=state,
        processing_guarantee="exactly-once" if workload == "W6" else "at-least-once",
        producer_extra_config={"compression.type": "lz4", "linger.ms": 100, "batch.size": 256 * 1024},
        loglevel="WARNING",
    )
    PROGRAMS[workload](app, app.dataframe(_topic(app, source))).to_topic(_topic(app, output))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
