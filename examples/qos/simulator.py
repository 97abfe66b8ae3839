"""A live match: viewers in many cities who join, watch, suffer and leave; the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heapreplace
from itertools import accumulate
from random import Random
from typing import Final

import msgspec

from .cities import CITIES
from .incidents import turns
from .model import Benchmark, Report, place_key
from .player import CHUNK_MS, Player
from .source import Event

JOINING_MS: Final = 15_000
MEAN_STAY_MS: Final = 600_000
MEAN_PAUSE_MS: Final = 3_000
MEAN_PATIENCE_MS: Final = 6_000
SLOW_SHARE: Final = 0.04
SLOW_KBPS: Final = (900.0, 1_800.0)
NOISES: Final = 4_096

CDNS: Final = {
    "bluearc": Benchmark(throughput_kbps=9_000, startup_ms=800, rebuffer_ratio=0.01),
    "meridian": Benchmark(throughput_kbps=12_000, startup_ms=700, rebuffer_ratio=0.01),
    "northlight": Benchmark(throughput_kbps=15_000, startup_ms=600, rebuffer_ratio=0.005),
}


@dataclass(frozen=True, slots=True)
class Match:
    """What is simulated. `seconds` None: without an end. `malformed` is the share of reports that arrive broken."""

    seed: int = 7
    viewers: int = 5_000
    seconds: float | None = None
    malformed: float = 0.0005


@dataclass(slots=True)
class _Place:
    """A city as one CDN serves it; `quality` is the share of the usual throughput that it gets now."""

    region: str
    location: str
    cdn: str
    key: bytes
    quality: float = 1.0


class _Seat:
    """One of the viewers at a time; when one leaves, another takes the seat."""

    __slots__ = ("key", "leaves_ms", "patience_ms", "place", "player", "report")

    def __init__(self, place: _Place, player: Player, leaves_ms: int, patience_ms: float) -> None:
        self.place = place
        self.player = player
        self.key = player.session.encode()
        self.leaves_ms = leaves_ms
        self.patience_ms = patience_ms
        self.report: Report


class _Crowd:
    """Everybody who watches, and the networks that they watch on."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._noise = [self.random.lognormvariate(0.0, 0.25) for _ in range(NOISES)]
        self._sessions = 0
        self.places = [_Place(c.region, c.name, cdn, place_key(c.name, cdn)) for c in CITIES for cdn in CDNS]
        self._up_to = list(accumulate(city.weight for city in CITIES for _ in CDNS))

    def joins(self, now_ms: int) -> tuple[int, _Seat]:
        """A new viewer, with the time of the first report."""
        random = self.random
        place = random.choices(self.places, cum_weights=self._up_to)[0]
        base_kbps = CDNS[place.cdn].throughput_kbps * random.lognormvariate(0.15, 0.35)
        if random.random() < SLOW_SHARE:
            base_kbps = random.uniform(*SLOW_KBPS)
        self._sessions += 1
        player = Player(f"v{self._sessions:06d}", place.location, place.cdn, base_kbps)
        leaves_ms = now_ms + round(random.expovariate(1 / MEAN_STAY_MS))
        seat = _Seat(place, player, leaves_ms, random.expovariate(1 / MEAN_PATIENCE_MS))
        return self.watches(seat, now_ms), seat

    def watches(self, seat: _Seat, now_ms: int) -> int:
        """Let the viewer fetch a chunk from `now_ms` on; the time of the report that tells of it."""
        random = self.random.random
        noise = self._noise[int(random() * NOISES)]
        passed_ms, seat.report = seat.player.fetch(
            seat.player.base_kbps * seat.place.quality * noise, 0.6 + 0.8 * random()
        )
        return now_ms + passed_ms


def events(match: Match) -> Iterator[Event]:
    """Every report of the match in the order of time, then of the viewer's seat."""
    crowd = _Crowd(match.seed)
    random = crowd.random
    encode = msgspec.json.Encoder().encode
    seats: list[_Seat] = []
    queue: list[tuple[int, int]] = []
    for number in range(match.viewers):
        at_ms, seat = crowd.joins(int(random.random() * JOINING_MS))
        seats.append(seat)
        queue.append((at_ms, number))
    heapify(queue)
    incident_turns = turns(match.seed, sorted({city.region for city in CITIES}), sorted(CDNS))
    turn_ms, incident, begins = next(incident_turns)
    while queue:
        at_ms, number = queue[0]
        if match.seconds is not None and at_ms >= match.seconds * 1000:
            return
        while turn_ms <= at_ms:
            for place in crowd.places:
                if (place.region, place.cdn) == (incident.region, incident.cdn):
                    place.quality = incident.quality if begins else 1.0
            turn_ms, incident, begins = next(incident_turns)
        seat = seats[number]
        value = encode(seat.report)
        if match.malformed and random.random() < match.malformed:
            value = _broken(value, random)
        yield Event(at_ms, seat.place.key, seat.key, value)
        if seat.player.stalled_ms < seat.patience_ms and at_ms < seat.leaves_ms:
            next_ms = crowd.watches(seat, at_ms)
        else:
            next_ms, seats[number] = crowd.joins(at_ms + int(random.expovariate(1 / MEAN_PAUSE_MS)))
        heapreplace(queue, (next_ms, number))


def _broken(report: bytes, random: Random) -> bytes:
    """The report as a faulty player sends it: cut short, without its location, or with a word for a number."""
    return random.choice(
        (
            report[: len(report) // 2],
            report.replace(b'"location"', b'"town"'),
            report.replace(b'"chunk_ms":%d' % CHUNK_MS, b'"chunk_ms":"four seconds"'),
        )
    )
