"""The side of a child process: it tells its parent in lines of JSON, and stops when the parent lets go of it.

A child's standard input is a pipe that the parent holds open: it ends when the parent closes it, and also when the
parent is killed, so that no child outlives it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import msgspec

from millstream.errors import MillstreamError


def tell(**fields: Any) -> None:
    """One line for the parent; nothing if it is gone."""
    try:
        os.write(1, msgspec.json.encode(fields) + b"\n")
    except BrokenPipeError:
        os._exit(0)


def argument() -> Any:
    """What the parent gave when it started the child."""
    return msgspec.json.decode(sys.argv[1])


def hear() -> Any:
    """The next line from the parent; None if it let go."""
    line = sys.stdin.buffer.readline()
    return msgspec.json.decode(line) if line else None


def stop_with_parent(stop: Event) -> None:
    """Set `stop` when the parent lets go."""

    def wait() -> None:
        # Without Python's buffer, whose lock would be in the way when the interpreter ends before this thread.
        while os.read(0, 1024):
            pass
        stop.set()

    Thread(target=wait, daemon=True).start()


def run(work: Callable[[], None]) -> None:
    """Do the child's work; an error of Millstream is told to the parent."""
    try:
        work()
    except MillstreamError as error:
        tell(error=str(error), status=error.exit_status)
        sys.exit(error.exit_status)
