"""The input: players' reports of about 113 bytes of JSON, 1 ms apart, and the tables that they are joined with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

START_MS = 1_700_000_000_000
BLOCK = 10_000

CONTRACTS_TOPIC, BENCHMARKS_TOPIC = "contracts", "benchmarks"
CDNS = tuple(f"cdn-{number}" for number in range(4))
LOCATIONS = tuple(f"city-{number:02}" for number in range(40))
PROMISED = 5_000_000

Row: TypeAlias = tuple[bytes, bytes, int]  # key, value, timestamp


@dataclass(frozen=True, slots=True)
class Load:
    """A topic of reports, and how many sessions send them."""

    topic: str
    sessions: int


def session(number: int) -> bytes:
    """A key of ten bytes.

    >>> session(42)
    b's000000042'
    """
    return b"s%09d" % number


def reports(load: Load, records: int, seed: int = 7) -> Iterator[Row]:
    """Reports of random sessions. One in two is live, one in two rebuffers, independently of each other.

    A location gets either well more or well less than 80% of what its CDN promises: whether a window of it is bad does
    not hang on how many of its reports were counted when it was looked at.
    """
    random_ = random.Random(seed)
    pick, below = random_.getrandbits, load.sessions
    for number in range(records):
        bits = pick(64)
        key = session((bits >> 24) % below)
        place = (bits >> 8) & 0xFFFF
        city = place % len(LOCATIONS)
        base = 3_000_000 if city % 5 == 0 else 4_500_000
        value = b'{"session":"%s","location":"%s","cdn":"cdn-%d","bitrate":%d,"rebuffer":%d,"live":%s,"os":"tv"}' % (
            key,
            LOCATIONS[city].encode(),
            (place // len(LOCATIONS)) % len(CDNS),
            base + ((bits >> 2) & 0x3F) * 10_000,
            0 if bits & 1 else 40 + (bits & 0x3E),
            b"true" if bits & 2 else b"false",
        )
        yield key, value, START_MS + number


def contracts(sessions: int) -> Iterator[Row]:
    """A row for each session, older than all reports."""
    for number in range(sessions):
        value = b'{"tier":"tier-%d","expected":%d}' % (number % 3, PROMISED + 1_000 * number)
        yield session(number), value, START_MS - 1


def benchmarks() -> Iterator[Row]:
    """What each CDN promises."""
    for cdn in CDNS:
        yield cdn.encode(), b'{"tier":"all","expected":%d}' % PROMISED, START_MS - 1
