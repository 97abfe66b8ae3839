"""How event time is cut into windows."""

from __future__ import annotations

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import TopologyError
from millstream.plan.site import call_site
from millstream.plan.windows import TimeWindows


def tumbling(size: Duration, *, grace: Duration = 0) -> TimeWindows:
    """Windows of one size that follow one another without overlap (rule W1).

    A record that is more than `grace` behind its window's end, in stream time, is dropped as late (rule W3).

    >>> tumbling("10s", grace="5s")
    TimeWindows(size_ms=10000, advance_ms=10000, grace_ms=5000)
    """
    size_ms = parse_duration_ms(size)
    return _checked(TimeWindows(size_ms, size_ms, parse_duration_ms(grace)), "tumbling")


def hopping(size: Duration, *, advance: Duration, grace: Duration = 0) -> TimeWindows:
    """Windows of one size that start every `advance`, so that a record is in several (rule W1).

    >>> hopping("10s", advance="5s").advance_ms
    5000
    """
    return _checked(
        TimeWindows(parse_duration_ms(size), parse_duration_ms(advance), parse_duration_ms(grace)), "hopping"
    )


def _checked(windows: TimeWindows, operator: str) -> TimeWindows:
    site = call_site(operator)
    if windows.size_ms <= 0:
        raise TopologyError(f"{site}: the window's size must be more than 0, got {windows.size_ms} ms")
    if not 0 < windows.advance_ms <= windows.size_ms:
        raise TopologyError(f"{site}: advance must be more than 0 and at most the size, got {windows.advance_ms} ms")
    if windows.grace_ms < 0:
        raise TopologyError(f"{site}: grace must not be negative, got {windows.grace_ms} ms")
    return windows
