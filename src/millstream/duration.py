"""Durations as a person writes them: "500ms", "10s", "5m", "1h", "2d", a number of milliseconds, or a timedelta."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TypeAlias

from millstream.errors import ConfigError

Duration: TypeAlias = str | int | timedelta

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def parse_duration_ms(given: Duration) -> int:
    """Whole milliseconds; raises ConfigError for what is not a duration.

    >>> parse_duration_ms("10s"), parse_duration_ms("1.5h"), parse_duration_ms(250)
    (10000, 5400000, 250)
    """
    if isinstance(given, timedelta):
        return round(given / timedelta(milliseconds=1))
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if isinstance(given, str) and (match := _WRITTEN.fullmatch(given)):
        return round(float(match[1]) * UNITS_MS[match[2]])
    raise ConfigError(f'{given!r} is not a duration; write it like "500ms", "10s", "5m", "1h" or "2d"')
