"""Ids of idempotent producers: never given out twice, also not after a crash."""

from __future__ import annotations

from millstream.broker.journal import Journal

_KEY = "next-producer-id"
_BLOCK = 1000


class ProducerIds:
    """Ids are reserved in blocks of a thousand, so that few of them cost a write.

    >>> ids = ProducerIds(Journal(None))
    >>> ids.next(), ids.next()
    (0, 1)
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._next = self._reserved = int(journal.get(_KEY) or 0)

    def next(self) -> int:
        if self._next == self._reserved:
            self._journal.put({_KEY: self._reserved + _BLOCK})
            self._reserved += _BLOCK
        self._next += 1
        return self._next - 1
