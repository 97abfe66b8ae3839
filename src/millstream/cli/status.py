"""`millstream status`: a running application's workers, tasks, lag and rates, on any Kafka."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from millstream.cli.cluster import AsJson, Bootstrap, Properties, cluster, pairs
from millstream.cli.show import json_line, table
from millstream.client.cluster import Groups, Lag
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from millstream.remote import Directory, Overview, WorkerClient, overview
from millstream.runtime.clock import SystemClock
from millstream.runtime.task_table import tasks_topic

PERIOD_S = 1.0


def status(
    application: Annotated[str, typer.Argument(metavar="APP_ID", help="The application's id.")],
    once: Annotated[bool, typer.Option("--once", help="Show it once, also in a terminal.")] = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    json: AsJson = False,
) -> None:
    """Workers, tasks, lag and rates of a running application; in a terminal again every second, until Ctrl-C.

    Workers tell their figures where they have the setting `http`; what is committed is known without it.
    """
    with cluster(bootstrap, properties) as caller:
        client = LibrdkafkaClient(str(caller.connection.bootstrap_servers), common=pairs(properties or (), "-X"))
        with Directory(client, application, SystemClock()) as directory:

            def look() -> tuple[Overview, Sequence[Lag]]:
                return _overview(directory), _committed(Groups(caller), application)

            if json:
                found, committed = look()
                behind = [{**each.source._asdict(), "committed": each.committed, "lag": each.lag} for each in committed]
                json_line({"application": application, **asdict(found), "committed": behind})
            elif once or not sys.stdout.isatty():
                Console(width=None if sys.stdout.isatty() else 120).print(_shown(application, *look()))
            else:
                with Live(_shown(application, *look()), auto_refresh=False) as live:
                    while True:
                        time.sleep(PERIOD_S)
                        live.update(_shown(application, *look()), refresh=True)


def _overview(directory: Directory) -> Overview:
    places, workers = directory.places(), WorkerClient(timeout_s=2)
    told = {}
    for address in {address for place in places for address in place.addresses}:
        answer = workers.ask(address, "/status", {"application": directory.application_id})
        told[address] = answer[1] if answer is not None and answer[0] == 200 else None
    return overview(places, told)


def _committed(groups: Groups, application: str) -> list[Lag]:
    """The inputs of the application, with what is committed."""
    try:
        found = groups.describe(application).partitions
    except KafkaError as error:
        if error.code == 69:  # it has never had a member
            return []
        raise
    return [each for each in found if each.source.topic != tasks_topic(application)]


def _shown(application: str, found: Overview, committed: Sequence[Lag]) -> Group:
    behind = sum(each.lag or 0 for each in committed)
    rate = sum(each.records_per_s for each in found.workers)
    running = sum(each.state == "running" for each in found.tasks)
    head = f"{application}: {running} of {len(found.tasks)} tasks run, {rate:,.0f} records/s"
    parts: list[Text | Table] = [Text(f"{head}, {behind:,} records not committed")]
    if found.workers:
        parts.append(
            table(
                ("worker", "answers", "ready", "paused", "tasks", "copies", "records/s", "records"),
                [
                    (
                        each.address,
                        _yes(each.answers),
                        _yes(each.ready),
                        _yes(each.paused),
                        each.tasks,
                        each.standbys,
                        round(each.records_per_s),
                        each.records,
                    )
                    for each in found.workers
                ],
            )
        )
    columns = ("task", "worker", "state", "lag", "records", "latency ms")
    lines = [(each.task, each.worker, each.state, each.lag, each.records, each.latency_ms) for each in found.tasks]
    parts.append(table(columns, lines))
    copies = [(each.task, copy.worker, copy.lag) for each in found.tasks for copy in each.standbys]
    if copies:
        parts.append(table(("standby copy of", "worker", "lag"), copies))
    if not found.workers:
        parts.append(Text('No worker has told where it answers; give them http="HOST:PORT" for more than this.'))
        inputs = [(_name(each.source), each.committed, each.end, each.lag) for each in committed]
        parts.append(table(("input", "committed", "end", "lag"), inputs))
    return Group(*parts)


def _yes(true: bool) -> str:
    return "yes" if true else "no"


def _name(source: TopicPartition) -> str:
    return f"{source.topic}-{source.partition}"
