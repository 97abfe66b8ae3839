"""The transactions in a partition's log: which are open, and which were aborted.

Pure. Rules: Kafka's ProducerStateManager and TransactionIndex (KIP-98).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple


class Aborted(NamedTuple):
    """Records of this producer from `first_offset` to the marker at `last_offset` are void."""

    producer_id: int
    first_offset: int
    last_offset: int


class LogTransactions:
    """Open transactions by producer id, and the aborted ones in the order of their markers.

    >>> transactions = LogTransactions()
    >>> transactions.begin(7, 10)
    >>> transactions.first_open
    10
    >>> transactions.end(7, 14, commit=False)
    >>> transactions.first_open, transactions.aborted(12, 15)
    (None, [Aborted(producer_id=7, first_offset=10, last_offset=14)])
    """

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        """First offset by producer; later ones have larger offsets, so the first entry is the smallest."""
        self._aborted: list[Aborted] = []

    @property
    def first_open(self) -> int | None:
        """The offset from which on the log is not stable yet, or None."""
        return next(iter(self._open.values()), None)

    def open(self) -> list[tuple[int, int]]:
        """Producer id and first offset of each that is open, in order."""
        return list(self._open.items())

    def put_aborted(self, aborted: Iterable[Aborted]) -> None:
        """Remember aborted ones as they were noted, in the order of their markers."""
        self._aborted.extend(aborted)

    def producers(self) -> list[int]:
        """Who has a transaction open."""
        return list(self._open)

    def first_offset(self, producer_id: int) -> int:
        """Where the producer's open transaction begins; -1 if it has none."""
        return self._open.get(producer_id, -1)

    def is_open(self, producer_id: int) -> bool:
        return producer_id in self._open

    def begin(self, producer_id: int, offset: int) -> None:
        """The producer wrote into its transaction; only the first time opens it."""
        self._open.setdefault(producer_id, offset)

    def end(self, producer_id: int, marker_offset: int, *, commit: bool) -> None:
        first = self._open.pop(producer_id, None)
        if first is not None and not commit:
            self._aborted.append(Aborted(producer_id, first, marker_offset))

    def aborted(self, offset: int, before: int) -> list[Aborted]:
        """Those that have records in `offset` to `before` (exclusive)."""
        begin = bisect_left(self._aborted, offset, key=lambda each: each.last_offset)
        return [each for each in self._aborted[begin:] if each.first_offset < before]

    def forget_before(self, offset: int) -> None:
        """Let go of the aborted ones that end before `offset`, where the log begins now."""
        del self._aborted[: bisect_left(self._aborted, offset, key=lambda each: each.last_offset)]
