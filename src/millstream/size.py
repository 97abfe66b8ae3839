"""Sizes as the user writes them."""

from __future__ import annotations

import re
from typing import TypeAlias

from millstream.errors import ConfigError

Size: TypeAlias = int | str

UNITS = {"B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMG]?B)\s*")


def parse_bytes(given: Size) -> int:
    """Whole bytes; raises ConfigError for what is not a size.

    >>> parse_bytes("10MB"), parse_bytes("1.5kB"), parse_bytes(4096)
    (10000000, 1500, 4096)
    """
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    if isinstance(given, str) and (match := _WRITTEN.fullmatch(given)):
        return round(float(match[1]) * UNITS[match[2]])
    raise ConfigError(f'{given!r} is not a size; write it like "500kB", "10MB" or "2GB"')
