"""`millstream run`: process records until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from millstream.cli.program import load_app


def run(
    program: Annotated[str, typer.Argument(metavar="FILE[:APP]", help="The Python file in which the App is made.")],
    bootstrap: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Brokers of an Apache Kafka; without it the embedded one.")
    ] = None,
) -> None:
    """Run a program until Ctrl-C or SIGTERM; it commits before it ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app = load_app(program)
    if bootstrap is not None:
        app.configure(bootstrap_servers=bootstrap)
    app.run()
