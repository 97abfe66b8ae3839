"""Time as the runtime sees it: a wall clock for users, and one that never goes back for everything else."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Milliseconds."""

    def wall_ms(self) -> int:
        """Since the epoch; may jump."""

    def monotonic_ms(self) -> float:
        """Since some moment; with fractions."""


class SystemClock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return time.monotonic() * 1000
