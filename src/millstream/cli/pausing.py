"""`millstream pause` and `millstream resume`: every worker of a running application stops to process, and goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import typer

from millstream.cli.cluster import Bootstrap, Properties, cluster, pairs
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.errors import ConfigError
from millstream.remote import Directory, WorkerClient
from millstream.runtime.clock import SystemClock

Application: TypeAlias = Annotated[str, typer.Argument(metavar="APP_ID", help="The application's id.")]


def pause(application: Application, bootstrap: Bootstrap = None, properties: Properties = None) -> None:
    """Let every worker stop to process. They stay in the group with their tasks; a worker that starts later runs."""
    _switch(application, "/pause", bootstrap, properties)


def resume(application: Application, bootstrap: Bootstrap = None, properties: Properties = None) -> None:
    """Let every worker go on."""
    _switch(application, "/resume", bootstrap, properties)


def _switch(application: str, path: str, bootstrap: str | None, properties: Sequence[str] | None) -> None:
    with cluster(bootstrap, properties) as caller:
        client = LibrdkafkaClient(str(caller.connection.bootstrap_servers), common=pairs(properties or (), "-X"))
        with Directory(client, application, SystemClock()) as directory:
            addresses = sorted({address for place in directory.places() for address in place.addresses})
    if not addresses:
        raise ConfigError(f'no worker of {application} has told where it answers; give them http="HOST:PORT"')
    answered = 0
    for address in addresses:
        answer = WorkerClient().ask(address, path, {"application": application}, post=True)
        done = answer is not None and answer[0] == 200
        answered += done
        print(f"{address}: {path.removeprefix('/') + 'd' if done else 'nobody answers'}")
    if not answered:
        raise ConfigError(f"no worker of {application} answers")
