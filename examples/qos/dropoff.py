"""Viewers who dropped off: what is kept of a visit, and what its end means."""

from __future__ import annotations

import millstream as ms

from .definitions import LAST_REPORTS, SILENT_SESSION_MS
from .model import Report
from .quality import CAUSES, cause
from .results import Dropoff


class Visit(ms.Record):
    """One viewer's run of reports without a silence: the causes of the last ones ("" where a report was good)."""

    location: str
    cdn: str
    last_report_ms: int
    causes: tuple[str, ...]


def ended(visit: Visit, now_ms: int) -> bool:
    """Whether the visit is over: its session has been silent long enough."""
    return now_ms >= visit.last_report_ms + SILENT_SESSION_MS


def seen(visit: Visit | None, report: Report, at_ms: int) -> Visit:
    """The visit with one more report; None starts a new one. A report not newer than the last changes nothing."""
    if visit is None:
        return Visit(report.location, report.cdn, at_ms, (cause(report) or "",))
    if at_ms <= visit.last_report_ms:
        return visit
    causes = (*visit.causes, cause(report) or "")[-LAST_REPORTS:]
    return Visit(report.location, report.cdn, at_ms, causes)


def verdict(session: str, visit: Visit) -> Dropoff | None:
    """What the end of a visit means: a drop-off if most of the last reports were bad."""
    bad = [name for name in visit.causes if name]
    if 2 * len(bad) <= len(visit.causes):
        return None
    return Dropoff(
        session=session,
        location=visit.location,
        cdn=visit.cdn,
        at_ms=visit.last_report_ms + SILENT_SESSION_MS,
        last_report_ms=visit.last_report_ms,
        reason=max(CAUSES, key=bad.count),
        bad_reports=len(bad),
        last_reports=len(visit.causes),
    )
