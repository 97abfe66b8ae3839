"""Whether a worker process that has ended is started again, and when: from how it has fared."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_MS = 500
LONGEST_MS = 30_000
HEALTHY_MS = 60_000
MOST_FAILURES = 6

USERS_FAULT = 2  # a wrong program or setting: starting it again mends nothing
STOP_ALL = 3  # the program wants all workers to stop (on_uncaught="stop_all")


@dataclass(frozen=True, slots=True)
class Record:
    """How one worker has fared: failures in a row, each soon after a start, and when it was started."""

    failures: int = 0
    started_ms: float = 0.0
    lived: bool = False  # it has run for long enough once, so that its program is not simply wrong

    def started(self, now_ms: float) -> Record:
        return Record(self.failures, now_ms, self.lived)

    def ended(self, now_ms: float) -> Record:
        """Its process has ended; one that was up for long begins a new series."""
        lived = now_ms - self.started_ms >= HEALTHY_MS
        return Record(1 if lived else self.failures + 1, self.started_ms, self.lived or lived)


def restart_ms(record: Record, status: int) -> int | None:
    """In how many milliseconds to start it again; None: not any more.

    >>> restart_ms(Record(failures=1), status=1), restart_ms(Record(failures=4), status=-9)
    (500, 4000)
    >>> restart_ms(Record(failures=1), status=2), restart_ms(Record(failures=6), status=1)
    (None, None)
    """
    if status == STOP_ALL or (status == USERS_FAULT and not record.lived) or record.failures >= MOST_FAILURES:
        return None
    return int(min(FIRST_MS * 2 ** (record.failures - 1), LONGEST_MS))
