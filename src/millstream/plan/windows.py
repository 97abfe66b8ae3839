"""Windows as declared: how event time is cut, and how long a window waits for late records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeWindows:
    """Windows of `size_ms` that start at every multiple of `advance_ms` from epoch 0 (rule W1). All in ms."""

    size_ms: int
    advance_ms: int
    grace_ms: int
