"""Rows on their way to librdkafka, a wave at a time: the next one when everything before it is acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from millstream.model import OutBatch, TopicPartition

# Of one partition as much as goes into one request: 1,000,000 bytes with what librdkafka adds to each row.
WAVE_ROWS, WAVE_BYTES = 8_000, 800_000
SAMPLE = 8


@dataclass(frozen=True, slots=True)
class Rows:
    """Those of a batch from `first` to `end` (not included), and what one of them has in bytes, about."""

    batch: OutBatch
    first: int
    end: int
    row_bytes: float

    def __len__(self) -> int:
        return self.end - self.first

    def cut(self, count: int) -> tuple[Rows, Rows]:
        """So many of them, and the others."""
        middle = self.first + count
        return replace(self, end=middle), replace(self, first=middle)


class Waves:
    """Rows that wait until those before them are acknowledged.

    librdkafka's idempotent producer has one request of a partition under way, because it counts rows where it may have
    five requests; and for as long as more of that partition's rows are ready its thread does not sleep, which costs
    0.3 us a row and more, the longer the broker takes. So it is given no more of each partition than goes into one
    request, and the next wave when nothing is under way. What comes meanwhile makes the next wave larger.

    >>> waves = Waves(rows=100, size=1_000)
    >>> waves.add(OutBatch(TopicPartition("t", 0), [1, 2], [None, None], [b"a", b"b"])), waves.rows
    (2, 2)
    >>> [(rows.first, rows.end) for rows in waves.take()], waves.rows
    ([(0, 2)], 0)
    """

    def __init__(self, *, rows: int, size: int) -> None:
        self._most_rows, self._most_bytes = rows, size
        self._waiting: dict[TopicPartition, deque[Rows]] = {}
        self.rows = 0
        self._bytes = 0.0

    def add(self, batch: OutBatch) -> int:
        """Queue rows; how many were taken, fewer when this is full."""
        taken = min(len(batch), self._most_rows - self.rows) if self._bytes < self._most_bytes else 0
        if taken > 0:
            rows = Rows(batch, 0, taken, _row_bytes(batch))
            self._of(rows).append(rows)
            self._count(rows, 1)
        return taken

    def put_back(self, rows: Rows) -> None:
        """Those of the last wave that could not be sent, to be the first of the next."""
        self._of(rows).appendleft(rows)
        self._count(rows, 1)

    def take(self) -> Iterator[Rows]:
        """The rows of the next wave."""
        for target in list(self._waiting):
            yield from self._next_of(self._waiting[target])
            if not self._waiting[target]:
                del self._waiting[target]

    def clear(self) -> None:
        """Forget them."""
        self._waiting.clear()
        self.rows, self._bytes = 0, 0.0

    def _next_of(self, waiting: deque[Rows]) -> Iterator[Rows]:
        count, room = WAVE_ROWS, float(WAVE_BYTES)
        while waiting and count > 0 and room > 0:
            rows = waiting.popleft()
            fitting = min(count, max(1, int(room / rows.row_bytes)))
            if fitting < len(rows):
                rows, others = rows.cut(fitting)
                waiting.appendleft(others)
            count, room = count - len(rows), room - len(rows) * rows.row_bytes
            self._count(rows, -1)
            yield rows

    def _of(self, rows: Rows) -> deque[Rows]:
        return self._waiting.setdefault(rows.batch.target, deque())

    def _count(self, rows: Rows, sign: int) -> None:
        self.rows += sign * len(rows)
        self._bytes += sign * len(rows) * rows.row_bytes


def _row_bytes(batch: OutBatch) -> float:
    """The mean size of a row, from a sample."""
    step = max(1, len(batch) // SAMPLE)
    sample = [*batch.keys[::step], *batch.values[::step]]
    return 1 + 2 * sum(len(data or b"") for data in sample) / len(sample)
