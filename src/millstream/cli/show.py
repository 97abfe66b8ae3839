"""What the tools print: tables for people, JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from millstream.errors import ConfigError


def rows(columns: Sequence[str], found: Iterable[Sequence[Any]], *, as_json: bool, none: str) -> None:
    """Rows under their columns, or `none` where there are none; numbers stand at the right."""
    listed = [list(each) for each in found]
    if as_json:
        for each in listed:
            json_line(dict(zip(columns, each, strict=True)))
        return
    if not listed:
        print(none)
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(80, *(sum(len(str(value)) + 3 for value in each) for each in listed)))
    console.print(table(columns, listed))


def table(columns: Sequence[str], listed: Sequence[Sequence[Any]]) -> Table:
    """A table for people; numbers stand at the right, None is a dash."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for at, column in enumerate(columns):
        numbers = all(isinstance(each[at], int) or each[at] is None for each in listed)
        made.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for each in listed:
        made.add_row(*("-" if value is None else str(value) for value in each))
    return made


def json_line(found: Any) -> None:
    """One JSON object on a line of standard output."""
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is lost. Where nobody can be asked, `--yes` must have been given."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody can be asked here; give --yes to do it")
    typer.confirm(question, abort=True)
