"""The command line: one module for each command; every error is one line on stderr and an exit status."""

from __future__ import annotations

import sys
from typing import Any

import typer

from millstream.cli.broker import OWN_OPTIONS, broker
from millstream.cli.consume import consume
from millstream.cli.demo import demo
from millstream.cli.groups import groups
from millstream.cli.pausing import pause, resume
from millstream.cli.produce import produce
from millstream.cli.reset import reset
from millstream.cli.run import run
from millstream.cli.status import status
from millstream.cli.topics import topics
from millstream.cli.topology import topology
from millstream.errors import MillstreamError
from millstream.interrupts import INTERRUPTED

# The parser that typer brings along names its errors privately; this one's base is what unknown options raise.
USAGE_ERROR: Any = typer.BadParameter.__base__

commands = typer.Typer(
    name="millstream",
    help="Kafka Streams for Python.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (demo, run, status, pause, resume, reset, topology, produce, consume):
    commands.command()(command)
commands.command(context_settings=OWN_OPTIONS)(broker)
for family in (topics, groups):
    commands.add_typer(family)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `millstream`."""
    sys.exit(_status(arguments))


def _status(arguments: list[str] | None) -> int:
    try:
        return commands(arguments, standalone_mode=False) or 0
    except USAGE_ERROR as error:
        print(f"error: {error.format_message()} ({error.ctx.command_path} --help tells more)", file=sys.stderr)
        return 2
    except MillstreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
