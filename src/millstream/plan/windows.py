"""Windows as declared: how event time is cut, and how long a window waits for late records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

FOREVER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TimeWindows:
    """Windows of `size_ms` that start at every multiple of `advance_ms` from epoch 0 (rule W1). All in ms."""

    size_ms: int
    advance_ms: int
    grace_ms: int


@dataclass(frozen=True, slots=True)
class UnlimitedWindows:
    """One window that begins at `start_ms` and never ends (rule W17)."""

    start_ms: int


@dataclass(frozen=True, slots=True)
class SlidingWindows:
    """Windows `[s, s + difference_ms]`, both ends included, wherever records lie that close together (rule W6)."""

    difference_ms: int
    grace_ms: int


@dataclass(frozen=True, slots=True)
class SessionWindows:
    """Windows that grow with their records, and end after `gap_ms` without one (rule W12)."""

    gap_ms: int
    grace_ms: int


Windows: TypeAlias = TimeWindows | UnlimitedWindows | SlidingWindows | SessionWindows


def needed_ms(windows: Windows) -> int:
    """What Kafka Streams keeps of windows unless it is told more (rules W5, W20)."""
    match windows:
        case TimeWindows(size_ms=size, grace_ms=grace):
            return size + grace
        case SlidingWindows(difference_ms=difference, grace_ms=grace):
            return 2 * difference + grace
        case SessionWindows(gap_ms=gap, grace_ms=grace):
            return gap + grace
        case UnlimitedWindows():
            return FOREVER


def closes_after_ms(windows: Windows) -> int:
    """How long after its end suppression takes a window for closed (rule E13)."""
    match windows:
        case TimeWindows(grace_ms=grace) | SlidingWindows(grace_ms=grace):
            return grace
        case SessionWindows(gap_ms=gap, grace_ms=grace):
            return gap + grace
        case UnlimitedWindows():
            return 0
