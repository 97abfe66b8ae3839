"""librdkafka's log without its echoes: it tells of a broker that is down at every attempt, dozens of times a second."""

from __future__ import annotations

import logging

QUIET_S = 10.0
REMEMBERED = 200


class Repeats(logging.Filter):
    """Lets a line through once in ten seconds, by the records' own clock.

    >>> lines = [logging.makeLogRecord({"msg": "down", "created": at}) for at in (0.0, 1.0, 11.0)]
    >>> list(map(Repeats().filter, lines))
    [True, False, True]
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        told = self._told.get(line)
        if told is not None and record.created - told < QUIET_S:
            return False
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told[line] = record.created
        return True
