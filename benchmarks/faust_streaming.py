"""The workloads as programs of Faust, run in an environment that has it; arguments as those of `programs`."""

from __future__ import annotations

import sys
from typing import Any

import faust
import mode.loop

WINDOW_S, GRACE_S = 10.0, 5.0


def transformed(app: faust.App, reports: faust.TopicT, output: faust.TopicT) -> None:
    @app.agent(reports)
    async def transform(stream: faust.StreamT) -> None:
        async for key, report in stream.items():
            if report["live"]:
                kept = {name: report[name] for name in ("session", "location", "cdn", "bitrate", "rebuffer", "live")}
                kept["score"] = report["bitrate"] - 1000 * report["rebuffer"]
                await output.send(key=key, value=kept)


def counted(app: faust.App, reports: faust.TopicT, output: faust.TopicT) -> None:
    table = app.Table("totals", default=_nothing, partitions=1).tumbling(WINDOW_S, expires=WINDOW_S + GRACE_S)

    @app.agent(reports)
    async def count(stream: faust.StreamT) -> None:
        async for event in stream.events():
            windows, start_ms = table[event.key], int(event.message.timestamp // WINDOW_S * WINDOW_S * 1000)
            count, bitrate = windows.value(event)
            totals = [count + 1, bitrate + event.value["bitrate"]]
            table[event.key] = totals
            await output.send(key=event.key, value={"start": start_ms, "count": totals[0], "bitrate": totals[1]})


def _nothing() -> list[int]:
    return [0, 0]


PROGRAMS = {
    "W1": transformed,
    "W2": counted,
    "W2n": counted,
    "W2r": counted,
    "W2k": counted,
    "W2kr": counted,
    "W6": counted,
}


def main(workload: str, bootstrap: str, application_id: str, source: str, output: str, state: str, commit: str) -> None:
    settings: dict[str, Any] = {
        "broker": f"kafka://{bootstrap}",
        "broker_commit_interval": int(commit) / 1000,
        "consumer_auto_offset_reset": "earliest",
        "datadir": state,
        "processing_guarantee": "exactly_once" if workload == "W6" else "at_least_once",
        "producer_compression_type": "lz4",
        "producer_linger": 0.1,
        "producer_max_batch_size": 256 * 1024,
        "store": "memory://",
        "topic_disable_leader": True,
        "topic_partitions": 1,
        "topic_replication_factor": 1,
        "web_enabled": False,
    }
    mode.loop.use("uvloop")
    app = faust.App(application_id, **settings)
    types = {"key_serializer": "raw", "value_serializer": "json", "key_type": bytes}
    PROGRAMS[workload](app, app.topic(source, **types), app.topic(output, **types))
    # its own set-up of logging makes a record of every debugging message: four for each record of W2
    faust.Worker(app, override_logging=False, quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
