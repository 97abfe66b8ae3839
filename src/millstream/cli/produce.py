"""`millstream produce`: lines of a file or of standard input as records of a topic."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from millstream.cli.cluster import Bootstrap, Properties, cluster
from millstream.cli.lines import Line, read_record, read_value
from millstream.cli.progress import Progress, progress
from millstream.client.cluster import NewTopicSpec, RecordWriter, Topics
from millstream.errors import ConfigError, DeserializationError, KafkaError

POLL_EVERY = 1_000
UNKNOWN_TOPIC = 3


class Format(StrEnum):
    value = "value"
    record = "record"


def produce(
    topic: Annotated[str, typer.Argument(metavar="TOPIC")],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Without one, standard input.")] = None,
    format: Annotated[
        Format,
        typer.Option(help="What a line is: a value, or a record as `millstream consume` prints it."),
    ] = Format.value,
    key_separator: Annotated[
        str | None,
        typer.Option("--key-separator", "-K", metavar="TEXT", help="Lines are KEY TEXT VALUE, as k:v with :."),
    ] = None,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
) -> None:
    """Write lines to a topic, each as a record. Empty lines are passed over; a line that cannot be read ends it."""
    if key_separator is not None and format is Format.record:
        raise ConfigError("--key-separator is for lines that are values; a record has its key in itself")
    if key_separator == "":
        raise ConfigError("--key-separator must not be empty")
    read: Callable[[bytes], Line] = (
        read_record
        if format is Format.record
        else partial(read_value, separator=None if key_separator is None else key_separator.encode())
    )
    with _lines(file) as lines, cluster(bootstrap, properties) as caller:
        if bootstrap is None:  # on the embedded broker topics come into being with their first record
            _make(Topics(caller), topic)
        with RecordWriter(caller, topic) as writer, progress("written") as shown:
            _write(lines, read, writer, shown)
    print(f"wrote {writer.sent:,} records to {topic}", file=sys.stderr)


def _write(lines: BinaryIO, read: Callable[[bytes], Line], writer: RecordWriter, shown: Progress) -> None:
    for number, text in enumerate(lines, start=1):
        line = text.rstrip(b"\r\n")
        if not line:
            continue
        try:
            record = read(line)
        except DeserializationError as error:
            writer.flush()
            raise DeserializationError(
                f"line {number}: {error}. The {writer.sent:,} records before it were written; go on from that line"
            ) from error
        writer.write(record.key, record.value, timestamp=record.timestamp, headers=record.headers)
        if writer.sent % POLL_EVERY == 0:
            writer.poll()
            shown.at(writer.acknowledged)
    writer.flush()


@contextmanager
def _lines(file: Path | None) -> Iterator[BinaryIO]:
    try:
        opened = nullcontext(sys.stdin.buffer) if file is None else file.open("rb")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from error
    with opened as lines:
        yield lines


def _make(topics: Topics, name: str) -> None:
    if name not in topics.list():
        try:
            topics.create(NewTopicSpec(name, 1, -1, {}))
        except KafkaError as error:
            if error.code != 36:  # somebody else was quicker
                raise
