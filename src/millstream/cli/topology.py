"""`millstream topology`: print what a program does."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from millstream.cli.program import load_app


class Notation(StrEnum):
    """How a topology is printed."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"


def topology(
    program: Annotated[str, typer.Argument(metavar="FILE[:APP]", help="The Python file in which the App is made.")],
    notation: Annotated[
        Notation, typer.Option("--format", help="As Kafka Streams describes it, or a picture's source.")
    ] = Notation.TEXT,
) -> None:
    """Print a program's topology; nothing is run."""
    typer.echo(load_app(program).describe(notation.value))
