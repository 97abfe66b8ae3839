"""What there is to show at one moment of a run, beside the results."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

RATE_OVER_MS: Final = 2_000.0


@dataclass(slots=True)
class Scene:
    """`phase` in words. `expected` reports and `length_ms` of the match are None where nobody knows them."""

    phase: str = "starting"
    start_ms: int = 0
    length_ms: int | None = None
    expected: int | None = None
    sent: int = 0
    sent_ms: int = 0
    processed: int = 0
    late: int = 0
    _rate: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def passed_ms(self) -> int:
        """How much of the match has been sent."""
        return max(0, self.sent_ms - self.start_ms)

    @property
    def share(self) -> float | None:
        """How much of the whole match has been sent."""
        return min(1.0, self.passed_ms / self.length_ms) if self.length_ms else None

    def count(self, processed: int, now_ms: float) -> None:
        """Records of the input that the application has processed by then."""
        self.processed = processed
        self._rate.append((now_ms, processed))
        while len(self._rate) > 2 and now_ms - self._rate[0][0] > RATE_OVER_MS:
            self._rate.popleft()

    @property
    def records_per_s(self) -> float:
        """Of the last two seconds or so."""
        if len(self._rate) < 2:
            return 0.0
        (first_ms, first), (last_ms, last) = self._rate[0], self._rate[-1]
        return (last - first) * 1000 / max(last_ms - first_ms, 1.0)
