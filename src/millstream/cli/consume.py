"""`millstream consume`: records of topics as lines on standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated

import typer

from millstream.app import stopped_by_signals
from millstream.cli.cluster import Bootstrap, Properties, cluster
from millstream.cli.lines import write_record
from millstream.cli.positions import WAYS, parse_position
from millstream.cli.produce import Format
from millstream.cli.progress import Progress, progress
from millstream.client.cluster import ReadOptions, Record, RecordReader
from millstream.errors import ConfigError

SHOW_EVERY = 1_000


def consume(
    topics: Annotated[list[str], typer.Argument(metavar="TOPIC...")],
    start: Annotated[str, typer.Option("--from", metavar="POSITION", help=f"Where to begin: {WAYS}.")] = "beginning",
    until: Annotated[str | None, typer.Option(metavar="POSITION", help="Where to end; else at today's end.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    most: Annotated[
        int | None, typer.Option("--max", "-n", metavar="N", min=0, help="At most so many records.")
    ] = None,
    partition: Annotated[
        list[int] | None, typer.Option("--partition", "-p", metavar="N", help="Only this partition; repeatable.")
    ] = None,
    format: Annotated[
        Format, typer.Option(help="Whole records as JSON objects, or only their values.")
    ] = Format.record,
    uncommitted: Annotated[
        bool, typer.Option("--uncommitted", help="Also records of transactions that are open or were aborted.")
    ] = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
) -> None:
    """Print records of topics, a line each."""
    if follow and until is not None:
        raise ConfigError("--follow goes on for ever, and --until says where to end: give one of them")
    options = ReadOptions(
        start=parse_position(start, "--from"),
        end=None if until is None else parse_position(until, "--until"),
        follow=follow,
        max_records=most,
        partitions=frozenset(partition or ()),
        committed_only=not uncommitted,
    )
    write = write_record if format is Format.record else _value
    with cluster(bootstrap, properties) as caller, RecordReader(caller, topics, options) as reader:
        total = reader.total if most is None else min(most, reader.total)
        watched = nullcontext(Progress()) if follow or sys.stdout.isatty() else progress("read", total)
        with stopped_by_signals() as stop, watched as shown:
            reader.stop_when(stop.is_set)
            _print(reader, write, shown, live=follow or sys.stdout.isatty())


def _print(reader: RecordReader, write: Callable[[Record], bytes], shown: Progress, *, live: bool) -> None:
    out = sys.stdout.buffer
    try:
        for number, record in enumerate(reader, start=1):
            out.write(write(record) + b"\n")
            if live:
                out.flush()
            if number % SHOW_EVERY == 0:
                shown.at(number)
        out.flush()
    except BrokenPipeError:  # whoever read it, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _value(record: Record) -> bytes:
    return b"" if record.value is None else record.value
