"""How long a worker bears that a broker fails to answer."""

from __future__ import annotations

from dataclasses import dataclass

PAUSE_MS = 90_000  # librdkafka tells the same error again no more often than every 30 s


@dataclass(frozen=True, slots=True)
class Patience:
    """An unbroken series of failures: when it began and when it was last added to.

    >>> patience = Patience(limit_ms=60_000).after_failure(0).after_failure(20_000)
    >>> patience.exhausted(), patience.after_failure(45_000).after_failure(61_000).exhausted()
    (False, True)
    """

    limit_ms: int
    since_ms: int | None = None
    last_ms: int = 0

    def after_failure(self, now_ms: int) -> Patience:
        """One more failure; after a pause without any it begins a new series."""
        fresh = self.since_ms is None or now_ms - self.last_ms > PAUSE_MS
        return Patience(self.limit_ms, now_ms if fresh else self.since_ms, now_ms)

    def after_success(self) -> Patience:
        return self if self.since_ms is None else Patience(self.limit_ms)

    def failing(self, now_ms: int) -> bool:
        """Whether the last attempt failed, as far as one can tell."""
        return self.since_ms is not None and now_ms - self.last_ms <= PAUSE_MS

    def exhausted(self) -> bool:
        return self.since_ms is not None and self.last_ms - self.since_ms > self.limit_ms
