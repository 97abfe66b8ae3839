"""Waiting for something to become true, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found], *, limit_s: float = 30.0, seen: Callable[[], str] = lambda: "") -> Found:
    """Call `look`, which itself waits a little, until it returns something true; returns that.

    `seen` says what `look` saw at last, for the message when the time is over.
    """
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r} after {limit_s} s {seen()}"
    return found
