"""Rows on their way to librdkafka, a wave at a time: the next one when everything before it is acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain

from millstream.model import OutBatch, TopicPartition

# Of one partition as much as goes into one request: 1,000,000 bytes with what librdkafka adds to each row.
WAVE_ROWS, WAVE_BYTES = 8_000, 800_000


class Waves:
    """Rows that wait until those before them are acknowledged.

    librdkafka's idempotent producer has one request of a partition under way, because it counts rows where it may have
    five requests; and for as long as more of that partition's rows are ready its thread does not sleep, which costs
    0.3 us a row and more, the longer the broker takes. So it is given no more of each partition than goes into one
    request, and the next wave when nothing is under way. What comes meanwhile makes the next wave larger.

    >>> waves = Waves(rows=100, size=1_000)
    >>> waves.add(OutBatch(TopicPartition("t", 0), [1, 2], [None, None], [b"a", b"b"])), waves.rows
    (2, 2)
    >>> [batch.values for batch in waves.take()], waves.rows
    ([[b'a', b'b']], 0)
    """

    def __init__(self, *, rows: int, size: int) -> None:
        self._most_rows, self._most_bytes = rows, size
        self._waiting: dict[TopicPartition, deque[tuple[OutBatch, float]]] = {}  # with the mean size of their rows
        self.rows = 0
        self._bytes = 0.0

    def add(self, batch: OutBatch) -> int:
        """Queue rows; how many were taken, fewer when this is full."""
        taken = min(len(batch), self._most_rows - self.rows) if self._bytes < self._most_bytes else 0
        if taken > 0:
            batch = batch if taken == len(batch) else batch.part(0, taken)
            self._waiting.setdefault(batch.target, deque()).append(self._counted(batch))
        return taken

    def put_back(self, batch: OutBatch) -> None:
        """Rows of the last wave that could not be sent, to be the first of the next."""
        self._waiting.setdefault(batch.target, deque()).appendleft(self._counted(batch))

    def take(self) -> Iterator[OutBatch]:
        """The rows of the next wave."""
        for target in list(self._waiting):
            yield from self._next_of(self._waiting[target])
            if not self._waiting[target]:
                del self._waiting[target]

    def clear(self) -> None:
        """Forget them."""
        self._waiting.clear()
        self.rows, self._bytes = 0, 0.0

    def _next_of(self, waiting: deque[tuple[OutBatch, float]]) -> Iterator[OutBatch]:
        rows, room = WAVE_ROWS, float(WAVE_BYTES)
        while waiting and rows > 0 and room > 0:
            batch, row_bytes = waiting.popleft()
            fitting = min(rows, max(1, int(room / row_bytes)))
            if fitting < len(batch):
                waiting.appendleft((batch.part(fitting, len(batch)), row_bytes))
                batch = batch.part(0, fitting)
            rows, room = rows - len(batch), room - len(batch) * row_bytes
            self._count(-len(batch), row_bytes)
            yield batch

    def _counted(self, batch: OutBatch) -> tuple[OutBatch, float]:
        row_bytes = 1 + sum(map(len, filter(None, chain(batch.keys, batch.values)))) / len(batch)
        self._count(len(batch), row_bytes)
        return batch, row_bytes

    def _count(self, rows: int, row_bytes: float) -> None:
        self.rows += rows
        self._bytes += rows * row_bytes
