"""`millstream run`: process records until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.program import load_app
from millstream.cli.workers import run_worker, supervise
from millstream.config_sources import CONFIG, variable


def run(
    program: Annotated[str, typer.Argument(metavar="FILE[:APP]", help="The Python file in which the App is made.")],
    bootstrap: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Brokers of an Apache Kafka; without it the embedded one.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings in TOML; else millstream.toml beside the program.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Worker processes that share the tasks; one that fails is restarted."),
    ] = 1,
    worker: Annotated[str | None, typer.Option(hidden=True)] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; repeatable, over all others.")
    ] = None,
) -> None:
    """Run a program until Ctrl-C or SIGTERM; it commits before it ends."""
    if config is not None:
        os.environ[CONFIG] = str(config)
    os.environ.update(variable(each) for each in given or ())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app = load_app(program)
    if bootstrap is not None:
        app.configure(bootstrap_servers=bootstrap)
    if worker is not None:
        run_worker(app, worker)
    elif workers > 1:
        raise typer.Exit(supervise(app, program, bootstrap, workers))
    else:
        app.run()
