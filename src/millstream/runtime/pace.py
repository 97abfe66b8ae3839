"""When to commit: by time, by records, by bytes, or because somebody asks (rules X3, P6)."""

from __future__ import annotations

from millstream.config import Settings


class Pace:
    """What was done since the last commit, against what the settings allow.

    >>> pace = Pace(Settings.of("app", commit_interval="1s", commit_records=100), 0)
    >>> pace.taken(99, row_bytes=50.0)
    >>> pace.due(500, asked=False), pace.due(500, asked=True), pace.due(1_000, asked=False)
    (False, True, True)
    >>> pace.taken(1, row_bytes=50.0)
    >>> pace.due(500, asked=False)
    True
    """

    def __init__(self, settings: Settings, now_ms: float) -> None:
        self._interval_ms = settings.commit_every_ms
        self._most_records = settings.commit_records or float("inf")
        self._most_bytes = settings.commit_bytes or float("inf")
        self._since_ms = now_ms
        self._records = 0
        self._bytes = 0.0

    def taken(self, records: int, row_bytes: float) -> None:
        """Records were processed, of about that many bytes each."""
        self._records += records
        self._bytes += records * row_bytes

    def due(self, now_ms: float, *, asked: bool) -> bool:
        """Whether a commit is due, if there is anything to commit."""
        return (
            asked
            or now_ms - self._since_ms >= self._interval_ms
            or self._records >= self._most_records
            or self._bytes >= self._most_bytes
        )

    def begin(self, now_ms: float) -> None:
        """A commit has begun, or there was nothing to commit."""
        self._since_ms, self._records, self._bytes = now_ms, 0, 0.0
