"""When a CDN degrades in a region, for how long and how badly; the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

FIRST_MS: Final = 20_000
LENGTH_MS: Final = (40_000, 75_000)
PAUSE_MS: Final = (10_000, 30_000)
QUALITY: Final = (0.05, 0.15)


@dataclass(frozen=True, slots=True)
class Incident:
    """One CDN in one region delivers only `quality` of its throughput, from `start_ms` until `end_ms` of the match."""

    start_ms: int
    end_ms: int
    region: str
    cdn: str
    quality: float


def incidents(seed: int, regions: Sequence[str], cdns: Sequence[str]) -> Iterator[Incident]:
    """The incidents of a match one after the other, without end."""
    random = Random(f"incidents {seed}")
    start_ms = FIRST_MS
    while True:
        end_ms = start_ms + random.randint(*LENGTH_MS)
        yield Incident(start_ms, end_ms, random.choice(regions), random.choice(cdns), random.uniform(*QUALITY))
        start_ms = end_ms + random.randint(*PAUSE_MS)


def turns(seed: int, regions: Sequence[str], cdns: Sequence[str]) -> Iterator[tuple[int, Incident, bool]]:
    """The moments when an incident begins (True) or is over (False), in order."""
    for incident in incidents(seed, regions, cdns):
        yield incident.start_ms, incident, True
        yield incident.end_ms, incident, False
