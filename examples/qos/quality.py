"""What makes a report bad: the first cause that applies, in a fixed order."""

from __future__ import annotations

from typing import Final

from .definitions import SLOW_START_MS
from .model import Report

REBUFFERING: Final = "rebuffering"
SLOW_DELIVERY: Final = "slow delivery"
SLOW_START: Final = "slow start-up"

CAUSES: Final = (REBUFFERING, SLOW_DELIVERY, SLOW_START)


def cause(report: Report) -> str | None:
    """Why this report is bad, or None: it is good."""
    if report.rebuffer_ms > 0:
        return REBUFFERING
    if report.delivery_ms > report.chunk_ms:
        return SLOW_DELIVERY
    if report.startup_ms > SLOW_START_MS:
        return SLOW_START
    return None
