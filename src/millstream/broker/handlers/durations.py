"""Durations of requests in milliseconds."""

from __future__ import annotations

from datetime import timedelta

_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(duration: timedelta) -> int:
    """Whole milliseconds.

    >>> milliseconds(timedelta(seconds=1.5))
    1500
    """
    return duration // _MILLISECOND
