"""One simulated player: chooses a bitrate, fetches chunk after chunk, keeps a buffer, and reports."""

from __future__ import annotations

from typing import Final

from .model import Report

CHUNK_MS: Final = 4_000
BITRATES_KBPS: Final = (300, 750, 1_200, 1_850, 2_850, 4_300)
BUFFER_MS: Final = 12_000
AFFORDABLE: Final = 0.7
LEARNING: Final = 0.4
FIRST_ESTIMATE_KBPS: Final = 2_000.0
ROUND_TRIP_MS: Final = 60
GIVE_UP_CHUNK_MS: Final = 7_000
RETRY_AFTER_MS: Final = 3_000
LONGEST_FETCH_MS: Final = 8_000


class Player:
    """A session's player on a network whose speed the caller says anew for each chunk."""

    __slots__ = ("base_kbps", "buffer_ms", "cdn", "estimate_kbps", "location", "reports", "session", "stalled_ms")

    def __init__(self, session: str, location: str, cdn: str, base_kbps: float) -> None:
        self.session = session
        self.location = location
        self.cdn = cdn
        self.base_kbps = base_kbps
        self.estimate_kbps = FIRST_ESTIMATE_KBPS
        self.buffer_ms = 0
        self.reports = 0
        self.stalled_ms = 0

    def fetch(self, rate_kbps: float, complexity: float) -> tuple[int, Report]:
        """Fetch the next chunk at `rate_kbps`: how long until its report, in ms, and the report.

        `complexity` is the chunk's size relative to its bitrate. A chunk that would take too long is dropped
        after a while and fetched again at the lowest bitrate.
        """
        affordable = AFFORDABLE * self.estimate_kbps
        bitrate = BITRATES_KBPS[0]
        for better in BITRATES_KBPS:
            if better > affordable:
                break
            bitrate = better
        kbit = 1 + int(bitrate * complexity * CHUNK_MS / 1000)
        delivery_ms = ROUND_TRIP_MS + int(1000 * kbit / rate_kbps)
        if delivery_ms > GIVE_UP_CHUNK_MS:
            bitrate = BITRATES_KBPS[0]
            kbit = 1 + int(bitrate * complexity * CHUNK_MS / 1000)
            retried_ms = RETRY_AFTER_MS + ROUND_TRIP_MS + int(1000 * kbit / rate_kbps)
            delivery_ms = min(retried_ms, LONGEST_FETCH_MS)
        return self._played(bitrate, kbit, delivery_ms)

    def _played(self, bitrate_kbps: int, kbit: int, delivery_ms: int) -> tuple[int, Report]:
        number = self.reports
        passed_ms = delivery_ms + max(0, self.buffer_ms - BUFFER_MS)
        rebuffer_ms = max(0, passed_ms - self.buffer_ms) if number else 0
        throughput_kbps = 1000 * kbit // delivery_ms
        self.buffer_ms = max(0, self.buffer_ms - passed_ms) + CHUNK_MS
        self.estimate_kbps += LEARNING * (throughput_kbps - self.estimate_kbps)
        self.stalled_ms += rebuffer_ms
        self.reports = number + 1
        report = Report(
            session=self.session,
            number=number,
            location=self.location,
            cdn=self.cdn,
            bitrate_kbps=bitrate_kbps,
            throughput_kbps=throughput_kbps,
            chunk_kbit=kbit,
            chunk_ms=CHUNK_MS,
            delivery_ms=delivery_ms,
            startup_ms=0 if number else delivery_ms,
            rebuffer_ms=rebuffer_ms,
        )
        return passed_ms, report
