"""Recorded sessions of many days, played back as one match."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec

from millstream.errors import ConfigError

from .cities import CITIES
from .model import Benchmark, place_key
from .source import Event

JOIN_EVERY_MS: Final = 1_200
LOCATIONS: Final = tuple(city.name for city in CITIES[::2])

BENCHMARKS: Final = {
    "cdn-5": Benchmark(throughput_kbps=5_000, startup_ms=1_000, rebuffer_ratio=0.02),
    "cdn-50": Benchmark(throughput_kbps=12_000, startup_ms=600, rebuffer_ratio=0.01),
}

NUMBERS: Final = ("bitrate_kbps", "throughput_kbps", "chunk_kbit", "chunk_ms", "delivery_ms")
COLUMNS: Final = ("session", "offset_ms", "server_mbps", *NUMBERS)


class Playback:
    """One session's playback, rebuilt from when its chunks arrived: start-up time and stalls."""

    def __init__(self, start_ms: int) -> None:
        self.at_ms = start_ms
        self.rows = 0
        self._buffer_ms = 0

    def arrived(self, at_ms: int, chunk_ms: int) -> int:
        """A chunk arrives, later than the one before; how long the picture had stood still by then."""
        at_ms = max(at_ms, self.at_ms + 1)
        passed_ms = at_ms - self.at_ms
        stalled_ms = max(0, passed_ms - self._buffer_ms) if self.rows else 0
        self._buffer_ms = max(0, self._buffer_ms - passed_ms) + chunk_ms
        self.at_ms = at_ms
        self.rows += 1
        return stalled_ms


def events(path: Path) -> list[Event]:
    """Every row of the file as a report, in the order of time, then of the sessions.

    Session number k of the file joins at k * JOIN_EVERY_MS. A row that lacks something or has a word for a number
    becomes a report that lacks it or has the word.

    Raises:
        ConfigError: the file cannot be read, or its header lacks a column.
    """
    timed: list[tuple[int, int, Event]] = []
    for number, (session, rows) in enumerate(_sessions(path).items()):
        start_ms = number * JOIN_EVERY_MS
        location = LOCATIONS[crc32(session.encode()) % len(LOCATIONS)]
        playback = Playback(start_ms)
        for row in rows:
            event = _event(row, session, location, playback, start_ms)
            timed.append((event.offset_ms, number, event))
    timed.sort(key=lambda item: item[:2])
    return [event for _, _, event in timed]


def check(path: Path) -> None:
    """Raise ConfigError, without reading on, for a file that cannot be read or whose header lacks a column."""
    next(_rows(path), None)


def _sessions(path: Path) -> dict[str, list[dict[str, Any]]]:
    sessions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(path):
        sessions[row["session"] or ""].append(row)
    return sessions


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(f"{path}: the header lacks {', '.join(missing)}; give a file of client reports")
            yield from reader
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as a csv file of client reports: {error}") from error


def _event(row: dict[str, Any], session: str, location: str, playback: Playback, start_ms: int) -> Event:
    numbers = {name: _number(row[name]) for name in ("offset_ms", "server_mbps", *NUMBERS)}
    offset_ms, chunk_ms, delivery_ms = (numbers[name] for name in ("offset_ms", "chunk_ms", "delivery_ms"))
    first = playback.rows == 0
    number = playback.rows
    at_ms = start_ms + offset_ms if isinstance(offset_ms, int) else playback.at_ms + 1
    rebuffer_ms = playback.arrived(at_ms, chunk_ms if isinstance(chunk_ms, int) else 0)
    cdn = f"cdn-{numbers['server_mbps']}"
    fields = {
        "session": session,
        "number": number,
        "location": location,
        "cdn": cdn if numbers["server_mbps"] is not None else None,
        **{name: numbers[name] for name in NUMBERS},
        "startup_ms": delivery_ms if first else 0,
        "rebuffer_ms": rebuffer_ms,
    }
    value = msgspec.json.encode({name: field for name, field in fields.items() if field is not None})
    return Event(playback.at_ms, place_key(location, cdn), session.encode(), value)


def _number(text: str | None) -> int | str | None:
    """The number that a cell holds; what else stands there, as it is; None for nothing."""
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        return text
