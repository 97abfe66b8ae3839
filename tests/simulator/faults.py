"""What goes wrong in a seed, and when: drawn before anything runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from tests.simulator.membership import SESSION_MS
from tests.simulator.network import Weather

FAULT_MS = 4_000.0

KILL, STOP, FREEZE, CUT, JUMP = "kill", "stop", "freeze", "cut off", "jump"
BROKER_CRASH, BROKER_STOP, DISK_FULL, WORKER_DISK_FULL = "crash", "stop of the broker", "full disk", "full local disk"


@dataclass(frozen=True, slots=True)
class Fault:
    """At a time, to one host (or the broker), for a while; `wipes`: the host's local state is gone, too."""

    at_ms: float
    kind: str
    host: int = -1
    for_ms: float = 0.0
    wipes: bool = False


@dataclass(frozen=True, slots=True)
class Climate:
    """Everything that is drawn for a seed, but for what the weather does from request to request."""

    hosts: int
    starts_ms: tuple[float, ...]
    weather: Weather
    crash_at_writes: float
    faults: tuple[Fault, ...]

    @property
    def may_outlast_sessions(self) -> bool:
        """Whether a process may be alive that its group has given up."""
        long = [fault for fault in self.faults if fault.kind in (FREEZE, CUT)]
        return any(fault.for_ms > SESSION_MS / 4 for fault in long)


def drawn(chance: Random, certain: Collection[str] = ()) -> Climate:
    """`certain` are kinds of faults that are not left to chance."""
    hosts = chance.choice((2, 2, 3) if certain else (1, 2, 2, 3))
    starts = tuple(0.0 if host == 0 else chance.random() * 2_000 for host in range(hosts))
    stormy = chance.random() < 0.5
    weather = Weather(
        latency_ms=chance.choice((0.3, 1.0, 5.0)),
        delay=chance.choice((0.0, 0.02, 0.1)) if stormy else 0.0,
        longest_delay_ms=chance.choice((50.0, 300.0)),
        break_before=chance.choice((0.0, 0.01, 0.03)) if stormy else 0.0,
        break_after=chance.choice((0.0, 0.01, 0.03)) if stormy else 0.0,
    )
    kinds = [kind for kind, likely in _LIKELY.items() if chance.random() < likely or kind in certain]
    faults = [_fault(chance, kind, hosts) for kind in kinds for _ in range(chance.randint(1, 3))]
    crash_at_writes = chance.choice((0.002, 0.01)) if chance.random() < 0.15 else 0.0
    return Climate(hosts, starts, weather, crash_at_writes, tuple(sorted(faults, key=lambda each: each.at_ms)))


_LIKELY = {
    KILL: 0.5,
    STOP: 0.3,
    FREEZE: 0.25,
    CUT: 0.15,
    JUMP: 0.1,
    BROKER_CRASH: 0.25,
    BROKER_STOP: 0.1,
    DISK_FULL: 0.1,
    WORKER_DISK_FULL: 0.05,
}


def _fault(chance: Random, kind: str, hosts: int) -> Fault:
    longest = 3_000 if kind in (FREEZE, CUT) and chance.random() < 0.5 else 200 if kind in (FREEZE, CUT) else 800
    return Fault(
        at_ms=100 + chance.random() * FAULT_MS,
        kind=kind,
        host=chance.randrange(hosts),
        for_ms=chance.random() * longest,
        wipes=chance.random() < 0.3,
    )
