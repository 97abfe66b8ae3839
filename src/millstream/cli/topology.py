"""`millstream topology`: print what a program does."""

from __future__ import annotations

from typing import Annotated

import typer

from millstream.cli.program import load_app
from millstream.plan.describe import describe


def topology(
    program: Annotated[str, typer.Argument(metavar="FILE[:APP]", help="The Python file in which the App is made.")],
) -> None:
    """Print a program's topology in the form of Kafka Streams' `Topology.describe()`; nothing is run."""
    typer.echo(describe(load_app(program).topology()))
