"""The way in: partitions read for tasks, for their stores, and for global tables; paused when too much is buffered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from millstream.client.contract import DataConsumer, Fetched, PartitionFailure
from millstream.config import Settings
from millstream.model import Batch, TopicPartition
from millstream.runtime.clock import Clock
from millstream.runtime.decisions import fair_mark, fetch_size, flow, water_mark
from millstream.runtime.patience import Patience
from millstream.runtime.rounds import InputView

LOG = logging.getLogger("millstream.runtime")


class Reader(Protocol):
    """Takes what is read of the partitions that it asked for."""

    def take(self, batch: Batch) -> None: ...

    def ended(self, source: TopicPartition, offset: int) -> None: ...


@dataclass(slots=True)
class Reading:
    """One partition that is being read. `buffered` asks the reader how many records of it wait; None: never any."""

    reader: Reader
    buffered: Callable[[], int] | None
    next_offset: int = 0
    newest_ms: int = -1
    caught_up: bool = False
    touched_ms: float = 0.0
    bytes: int = 0


class Intake:
    """The data consumer, with who reads what."""

    def __init__(self, data: DataConsumer, settings: Settings, clock: Clock) -> None:
        self._data = data
        self._settings = settings
        self._clock = clock
        self._readings: dict[TopicPartition, Reading] = {}
        self._paused: frozenset[TopicPartition] = frozenset()
        self._patience = Patience(settings.give_up_after_ms)
        self.row_bytes = 100.0  # of a usual record
        self.bytes = 0

    def open(
        self,
        reader: Reader,
        positions: Mapping[TopicPartition, int],
        buffered: Callable[[TopicPartition], int] | None = None,
    ) -> None:
        """Read partitions for a reader, each from an offset on."""
        for source in positions:
            count = _counter(buffered, source) if buffered is not None else None
            self._readings[source] = Reading(reader, count, touched_ms=self._clock.monotonic_ms())
        self._data.assign(positions)

    def close(self, partitions: Iterable[TopicPartition]) -> None:
        """Stop reading them; those that are not read are passed over."""
        known = [source for source in partitions if self._readings.pop(source, None) is not None]
        self._paused -= frozenset(known)
        self._data.unassign(known)

    def fetch(self, timeout_ms: int) -> int:
        """Give what has arrived to its readers; returns the number of records. Raises when reading fails for good."""
        wanted = fetch_size(self._settings.round_records, self._settings.round_bytes, self.row_bytes)
        fetched = self._data.poll(max_records=wanted, timeout_ms=timeout_ms)
        now_ms = self._clock.monotonic_ms()
        for batch in fetched.batches:
            self._deliver(batch, now_ms)
        for end in fetched.ends:
            reading = self._readings.get(end.source)
            if reading is not None and end.offset >= reading.next_offset:
                reading.caught_up = True
                reading.next_offset = end.offset  # behind marks of transactions, which are no records
                reading.reader.ended(end.source, end.offset)
        self._bear(fetched)
        return sum(map(len, fetched.batches))

    def regulate(self) -> None:
        """Pause and resume partitions by what is buffered of them."""
        if not self._readings:
            return
        settings = self._settings
        high = water_mark(settings.buffer_records, settings.buffer_bytes, self.row_bytes)
        counts = {s: reading.buffered() for s, reading in self._readings.items() if reading.buffered is not None}
        high = fair_mark(high, counts.values(), int(settings.input_buffer_max / self.row_bytes))
        wanted = flow(counts, self._paused, high)
        if wanted.pause:
            self._data.pause(wanted.pause)
        if wanted.resume:
            self._data.resume(wanted.resume)
        self._paused = (self._paused | frozenset(wanted.pause)) - frozenset(wanted.resume)

    def view(self, source: TopicPartition, now_ms: float) -> InputView:
        """What the choice of the next task needs to know of an input."""
        reading = self._readings[source]
        buffered = reading.buffered() if reading.buffered is not None else 0
        return InputView(buffered, reading.newest_ms, reading.caught_up, int(now_ms - reading.touched_ms))

    def touch(self, sources: Iterable[TopicPartition], now_ms: float) -> None:
        """Records of these were processed."""
        for source in sources:
            self._readings[source].touched_ms = now_ms

    def lag(self, source: TopicPartition) -> int | None:
        """Records between what was fetched and the end that the last fetch told of; None before the first."""
        reading = self._readings.get(source)
        if reading is None or (end := self._data.known_end(source)) is None:
            return None
        return max(0, end - reading.next_offset)

    def bytes_of(self, source: TopicPartition) -> int:
        """About what was fetched of a partition since it was opened."""
        reading = self._readings.get(source)
        return 0 if reading is None else reading.bytes

    def _deliver(self, batch: Batch, now_ms: float) -> None:
        reading = self._readings.get(batch.source)
        if reading is None:
            return
        reading.next_offset = batch.next_offset
        reading.caught_up = False
        reading.touched_ms = now_ms
        if len(batch):
            newest_ms = max(batch.timestamps)
            reading.newest_ms = max(reading.newest_ms, newest_ms)
            row_bytes = _row_bytes(batch)
            self.row_bytes += 0.1 * (row_bytes - self.row_bytes)
            fetched = round(row_bytes * len(batch))
            reading.bytes += fetched
            self.bytes += fetched
        reading.reader.take(batch)

    def _bear(self, fetched: Fetched) -> None:
        if fetched.batches:
            self._patience = self._patience.after_success()
        for failure in fetched.failures:
            self.bear(failure)

    @property
    def failing(self) -> bool:
        """Whether reading failed of late, so that there may be records which nobody has seen."""
        return self._patience.failing(round(self._clock.monotonic_ms()))

    def bear(self, failure: PartitionFailure) -> None:
        """Log a failure that trying again may cure; raise one that it will not, or has not for too long."""
        if not failure.error.retriable:
            raise failure.error
        LOG.warning("%s; trying again", failure.error)
        self._patience = self._patience.after_failure(round(self._clock.monotonic_ms()))
        if self._patience.exhausted():
            raise failure.error


def _counter(buffered: Callable[[TopicPartition], int], source: TopicPartition) -> Callable[[], int]:
    return lambda: buffered(source)


def _row_bytes(batch: Batch) -> float:
    """The mean size of a row, from a sample of the values."""
    sample = batch.values[:: max(1, len(batch) // 8)]
    return sum(len(value) for value in sample if value is not None) / len(sample) + 50
