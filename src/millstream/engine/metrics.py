"""Counters of one task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TaskMetrics:
    """Records taken; dropped by a rule (null keys and the like); late for their window; sent to the dead letters."""

    records: int = 0
    dropped: int = 0
    late: int = 0
    dead_letters: int = 0
