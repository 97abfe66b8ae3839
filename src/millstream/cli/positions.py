"""Places in a topic as a person writes them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from millstream.client.cluster import Position
from millstream.duration import parse_duration_ms
from millstream.errors import ConfigError

WAYS = "beginning, end, an offset (1200), a time (2026-05-01T18:00, UTC unless it says otherwise) or how long ago (10m)"


def parse_position(written: str, option: str, *, now_ms: int | None = None) -> Position:
    """A position as it is written for an option.

    >>> parse_position("beginning", "--from"), parse_position("1200", "--from")
    (Position(kind='beginning', value=0), Position(kind='offset', value=1200))
    >>> parse_position("10m", "--from", now_ms=3_600_000)
    Position(kind='time', value=3000000)
    >>> parse_position("1970-01-01T00:00:01+00:00", "--from")
    Position(kind='time', value=1000)
    """
    if written in ("beginning", "earliest"):
        return Position("beginning")
    if written in ("end", "latest"):
        return Position("end")
    if written.isdigit():
        return Position("offset", int(written))
    try:
        ago_ms = parse_duration_ms(written)
    except ConfigError:
        return Position("time", _moment_ms(written, option))
    return Position("time", (round(time.time() * 1000) if now_ms is None else now_ms) - ago_ms)


def _moment_ms(written: str, option: str) -> int:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise ConfigError(f"{option} takes {WAYS}, got {written!r}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
