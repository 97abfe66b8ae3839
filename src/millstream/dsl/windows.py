"""How event time is cut into windows."""

from __future__ import annotations

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError, TopologyError
from millstream.plan.site import CallSite, call_site
from millstream.plan.windows import TimeWindows


def tumbling(size: Duration, *, grace: Duration = 0) -> TimeWindows:
    """Windows of one size that follow one another without overlap (rule W1).

    A record that is more than `grace` behind its window's end, in stream time, is dropped as late (rule W3).

    >>> tumbling("10s", grace="5s")
    TimeWindows(size_ms=10000, advance_ms=10000, grace_ms=5000)
    """
    site = call_site("tumbling")
    size_ms = _ms(size, site)
    return _checked(TimeWindows(size_ms, size_ms, _ms(grace, site)), site)


def hopping(size: Duration, *, advance: Duration, grace: Duration = 0) -> TimeWindows:
    """Windows of one size that start every `advance`, so that a record is in several (rule W1).

    >>> hopping("10s", advance="5s").advance_ms
    5000
    """
    site = call_site("hopping")
    return _checked(TimeWindows(_ms(size, site), _ms(advance, site), _ms(grace, site)), site)


def _ms(given: Duration, site: CallSite) -> int:
    try:
        return parse_duration_ms(given)
    except ConfigError as error:
        raise TopologyError(f"{site}: {error}") from error


def _checked(windows: TimeWindows, site: CallSite) -> TimeWindows:
    if windows.size_ms <= 0:
        raise TopologyError(f"{site}: the window's size must be more than 0, got {windows.size_ms} ms")
    if not 0 < windows.advance_ms <= windows.size_ms:
        raise TopologyError(f"{site}: advance must be more than 0 and at most the size, got {windows.advance_ms} ms")
    if windows.grace_ms < 0:
        raise TopologyError(f"{site}: grace must not be negative, got {windows.grace_ms} ms")
    return windows
