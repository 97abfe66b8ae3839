"""Counters of one task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TaskMetrics:
    """Records taken; dropped by a rule (null keys and the like); late for their window; sent to the dead letters.

    Latency is from a record's timestamp to its processing, looked at once for each chunk of records.
    """

    records: int = 0
    dropped: int = 0
    late: int = 0
    dead_letters: int = 0
    restored: int = 0
    latency_ms: int = 0
    latency_sum_ms: int = 0
    latency_count: int = 0

    def waited(self, latency_ms: int) -> None:
        self.latency_ms = latency_ms
        self.latency_sum_ms += latency_ms
        self.latency_count += 1
