"""How event time is cut into windows."""

from __future__ import annotations

from typing import TypeVar

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError, TopologyError
from millstream.plan.site import CallSite, call_site
from millstream.plan.windows import SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows

W = TypeVar("W", TimeWindows, SlidingWindows, SessionWindows)


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


def sliding(difference: Duration, *, grace: Duration = 0) -> SlidingWindows:
    """A window for each way in which records lie at most `difference` apart, both ends included (rule W6).

    >>> sliding("10s", grace="5s")
    SlidingWindows(difference_ms=10000, grace_ms=5000)
    """
    site = call_site("sliding")
    windows = SlidingWindows(_ms(difference, site), _ms(grace, site))
    if windows.difference_ms < 0:
        raise TopologyError(f"{site}: the difference must not be negative, got {windows.difference_ms} ms")
    return _with_grace(windows, site)


def session(gap: Duration, *, grace: Duration = 0) -> SessionWindows:
    """Windows that grow with their records: two of them belong together when they are at most `gap` apart (rule W12).

    A record may be late by `gap` and `grace` behind its session's end (rule W14). One that is later than that for
    itself, and is taken because it joins a session that has not closed, does not join one that ended two gaps and the
    grace ago as well, unless `windowed_by(..., retention=)` keeps it for longer.

    >>> session("30m").gap_ms
    1800000
    """
    site = call_site("session")
    windows = SessionWindows(_ms(gap, site), _ms(grace, site))
    if windows.gap_ms < 0:
        raise TopologyError(f"{site}: the gap must not be negative, got {windows.gap_ms} ms")
    return _with_grace(windows, site)


def unlimited(*, start: Duration = 0) -> UnlimitedWindows:
    """One window from `start` on, in ms since the epoch, that never ends; earlier records are in none (rule W17).

    >>> unlimited(start=1000)
    UnlimitedWindows(start_ms=1000)
    """
    site = call_site("unlimited")
    start_ms = _ms(start, site)
    if start_ms < 0:
        raise TopologyError(f"{site}: the start must not be negative, got {start_ms} ms")
    return UnlimitedWindows(start_ms)


def _with_grace(windows: W, site: CallSite) -> W:
    if windows.grace_ms < 0:
        raise TopologyError(f"{site}: grace must not be negative, got {windows.grace_ms} ms")
    return windows


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
    return _with_grace(windows, site)
