"""What a partition remembers of idempotent producers: the last five batches of each, to tell repeats from gaps.

Pure. Rules: Kafka's ProducerStateManager and ProducerAppendInfo (KIP-98, KIP-360).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kio.schema.errors import ErrorCode

from millstream.broker.log.batch import NO_PRODUCER, BatchHeader

CACHED_BATCHES = 5
SEQUENCES = 2**31
"""Sequence numbers run from 0 to 2^31 - 1 and then start again."""


class WrittenBatch(NamedTuple):
    first_sequence: int
    last_sequence: int
    base_offset: int
    timestamp_ms: int


@dataclass(slots=True)
class Producer:
    epoch: int
    batches: deque[WrittenBatch] = field(default_factory=lambda: deque(maxlen=CACHED_BATCHES))
    last_written_ms: int = -1
    """Time of day; of what was found on disk, the time of its records."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The batch is in the log already; the producer gets the answer that it missed."""

    base_offset: int
    timestamp_ms: int


class Producers:
    """The idempotent producers of one partition, by producer id.

    >>> Producers().check(BatchHeader(0, 49, 0, 2, 0, 0, 0, 0, 0, 7, 0, 0, 1)) is None
    True
    """

    def __init__(self) -> None:
        self._producers: dict[int, Producer] = {}

    def __len__(self) -> int:
        return len(self._producers)

    def items(self) -> Iterator[tuple[int, Producer]]:
        """Each producer by its id."""
        return iter(self._producers.items())

    def put(self, producer_id: int, producer: Producer) -> None:
        """Remember a producer as it was noted."""
        self._producers[producer_id] = producer

    def epoch(self, producer_id: int) -> int:
        """The producer's latest epoch; 0 for one that is not known."""
        known = self._producers.get(producer_id)
        return 0 if known is None else known.epoch

    def ends_with(self, header: BatchHeader) -> bool:
        """Whether this is the last batch of its producer."""
        known = self._producers.get(header.producer_id)
        if known is None or header.control or not known.batches:
            return False
        return known.batches[-1].base_offset == header.base_offset

    def check(self, header: BatchHeader) -> Repeat | ErrorCode | None:
        """None if the batch is the producer's next one; else the repeat that it is, or Kafka's error."""
        if header.producer_id == NO_PRODUCER:
            return None
        known = self._producers.get(header.producer_id)
        if known is None:
            return None
        if header.producer_epoch < known.epoch:
            return ErrorCode.invalid_producer_epoch
        if header.producer_epoch > known.epoch:
            return None if header.base_sequence == 0 else ErrorCode.out_of_order_sequence_number
        last = _last_sequence(header)
        for batch in known.batches:
            if batch.first_sequence == header.base_sequence and batch.last_sequence == last:
                return Repeat(batch.base_offset, batch.timestamp_ms)
        expected = (known.batches[-1].last_sequence + 1) % SEQUENCES if known.batches else 0
        return None if header.base_sequence == expected else ErrorCode.out_of_order_sequence_number

    def remember(self, header: BatchHeader, base_offset: int, now_ms: int) -> None:
        """Take note of a batch that was written at `base_offset`."""
        if header.producer_id == NO_PRODUCER or header.control:
            return
        known = self._producers.get(header.producer_id)
        if known is None or header.producer_epoch > known.epoch:
            known = self._producers[header.producer_id] = Producer(header.producer_epoch)
        known.batches.append(
            WrittenBatch(header.base_sequence, _last_sequence(header), base_offset, header.max_timestamp)
        )
        known.last_written_ms = max(known.last_written_ms, now_ms)

    def await_first(self, header: BatchHeader, now_ms: int) -> None:
        """A producer's first batch could not be written: what it has sent behind it must not be taken before it.

        Of a producer that is not known any sequence would be; its client would take the first batch for written, too.
        """
        if (
            header.producer_id != NO_PRODUCER
            and header.base_sequence == 0
            and header.producer_id not in self._producers
        ):
            self._producers[header.producer_id] = Producer(header.producer_epoch, last_written_ms=now_ms)

    def fence(self, producer_id: int, epoch: int, now_ms: int) -> None:
        """Take note of a transaction marker: older epochs may not write any more, and a newer one begins at 0."""
        known = self._producers.get(producer_id)
        if known is None or epoch > known.epoch:
            known = self._producers[producer_id] = Producer(epoch)
        known.last_written_ms = max(known.last_written_ms, now_ms)

    def forget_before(self, timestamp_ms: int, in_use: Callable[[int], bool]) -> None:
        """Let go of producers that have written nothing since then and are not in use."""
        silent = [
            producer_id
            for producer_id, known in self._producers.items()
            if known.last_written_ms < timestamp_ms and not in_use(producer_id)
        ]
        for producer_id in silent:
            del self._producers[producer_id]


def _last_sequence(header: BatchHeader) -> int:
    return (header.base_sequence + header.last_offset_delta) % SEQUENCES
