"""The data consumer of the simulated client."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from kio.schema.errors import ErrorCode

from millstream.client.contract import EARLIEST, OUT_OF_RANGE, Fetched, PartitionEnd, PartitionFailure
from millstream.errors import KafkaError
from millstream.model import Batch, TopicPartition
from tests.simulator import requests
from tests.simulator.host import RETRY_MS, Process
from tests.simulator.records import decoded

PREFETCHED_ROWS = 200
TRANSIENT = frozenset({ErrorCode.kafka_storage_error, ErrorCode.unknown_topic_or_partition})


class Reading:
    """One assigned partition: where the next fetch begins, and what was fetched and not polled yet."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.paused = False
        self.buffer: deque[Batch] = deque()
        self.end_to_tell: int | None = None
        self.told_end: int | None = None
        self.high = -1

    @property
    def rows(self) -> int:
        return sum(map(len, self.buffer))


class SimulatedConsumer:
    def __init__(self, process: Process, *, committed_only: bool = False, strict: bool = False) -> None:
        self._process = process
        self._strict = strict
        self._committed_only = committed_only
        self._fetching = process.connect("data")
        self._asking = process.connect("asking")
        self._readings: dict[TopicPartition, Reading] = {}
        self._failures: list[PartitionFailure] = []
        self._outstanding = False
        self._asked_for: set[TopicPartition] = set()
        self._bytes = process.schedule.chance.choice((100, 400, 100_000))

    # --- the contract

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        for source, offset in positions.items():
            if source not in self._readings:
                self._readings[source] = Reading(offset)
        self._fetch()

    def unassign(self, partitions: Iterable[TopicPartition]) -> None:
        for source in partitions:
            self._readings.pop(source, None)

    def seek(self, source: TopicPartition, offset: int) -> None:
        paused = self._readings[source].paused
        self._readings[source] = Reading(offset)
        self._readings[source].paused = paused
        self._fetch()

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        for source in partitions:
            reading = self._readings[source]
            if reading.buffer and self._process.schedule.often(0.5):  # librdkafka throws away what it prefetched
                fresh = self._readings[source] = Reading(_begin(reading.buffer[0]))
                fresh.high = reading.high
            self._readings[source].paused = True

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        for source in partitions:
            self._readings[source].paused = False
        self._fetch()

    def poll(self, *, max_records: int, timeout_ms: int) -> Fetched:
        schedule = self._process.schedule
        self._process.pause(schedule.chance.random() if not schedule.often(0.01) else schedule.chance.random() * 300)
        self._fetch()
        if timeout_ms and not self._any():
            self._process.wait(timeout_ms, self._any)
        return self._taken(max_records)

    def watermarks(self, source: TopicPartition, *, timeout_ms: int) -> tuple[int, int]:
        doing = f"asking for the offsets of {source}"
        found = []
        for timestamp in (-2, -1):
            request = requests.list_offset(source, timestamp, committed_only=False)
            answer = self._process.ask(self._asking, request, timeout_ms, doing).topics[0].partitions[0]
            if answer.error_code is not ErrorCode.none:
                raise KafkaError(f"{doing}: {answer.error_code.name}", code=answer.error_code)
            found.append(answer.offset)
        return found[0], found[1]

    def known_end(self, source: TopicPartition) -> int | None:
        high = self._readings[source].high
        return high if high >= 0 else None

    def close(self) -> None:
        self._fetching.close()
        self._asking.close()
        self._readings.clear()

    # --- what is polled

    def _any(self) -> bool:
        return bool(self._failures) or any(
            not reading.paused and (reading.buffer or reading.end_to_tell is not None)
            for reading in self._readings.values()
        )

    def _taken(self, max_records: int) -> Fetched:
        chance = self._process.schedule.chance
        batches: list[Batch] = []
        ends: list[PartitionEnd] = []
        for source in chance.sample(list(self._readings), len(self._readings)):
            reading = self._readings[source]
            if reading.paused:
                continue
            while reading.buffer and max_records > 0:
                first = reading.buffer.popleft()
                if len(first) > 1 and chance.random() < 0.2:
                    max_records = min(max_records, chance.randint(1, len(first)))
                if len(first) > max_records:
                    cut = first.offsets[max_records]
                    reading.buffer.appendleft(_after(first, cut))
                    first = first.before(cut)
                batches.append(first)
                max_records -= len(first)
            if not reading.buffer and reading.end_to_tell is not None:
                ends.append(PartitionEnd(source, reading.end_to_tell))
                reading.told_end, reading.end_to_tell = reading.end_to_tell, None
        failures, self._failures = self._failures, []
        return Fetched(batches, ends, failures)

    # --- what is fetched meanwhile

    def _fetch(self) -> None:
        if self._outstanding:
            return
        for source, reading in self._readings.items():
            if reading.offset < 0 and source not in self._asked_for:
                self._look_up(source, reading)
        wanted = {
            source: reading.offset
            for source, reading in self._readings.items()
            if reading.offset >= 0 and not reading.paused and reading.rows < PREFETCHED_ROWS
        }
        if not wanted:
            return
        order = self._process.schedule.chance.sample(list(wanted), len(wanted))
        positions = {source: wanted[source] for source in order}
        readings = {source: self._readings[source] for source in order}
        self._outstanding = True
        request = requests.fetch(positions, self._bytes, committed_only=self._committed_only)
        self._fetching.ask(*request, lambda answer: self._fetched(answer, readings))

    def _look_up(self, source: TopicPartition, reading: Reading) -> None:
        self._asked_for.add(source)
        timestamp = reading.offset

        def answered(answer: Any) -> None:
            self._asked_for.discard(source)
            found = None if answer is None else answer.topics[0].partitions[0]
            if self._readings.get(source) is reading and reading.offset == timestamp:
                if found is None or found.error_code is not ErrorCode.none:
                    self._process.at(RETRY_MS, self._fetch)
                    return
                reading.offset = found.offset
            self._fetch()

        request = requests.list_offset(source, timestamp, committed_only=self._committed_only)
        self._asking.ask(*request, answered)

    def _fetched(self, answer: Any, readings: Mapping[TopicPartition, Reading]) -> None:
        self._outstanding = False
        if answer is None:
            self._process.at(RETRY_MS, self._fetch)
            return
        trouble = False
        for topic in answer.topics:
            for found in topic.partitions:
                source = TopicPartition(topic.name, found.index)
                if self._readings.get(source) is readings[source]:
                    trouble |= not self._keep(source, readings[source], found)
        self._process.wake()
        self._process.at(RETRY_MS if trouble else 0, self._fetch)

    def _keep(self, source: TopicPartition, reading: Reading, found: Any) -> bool:
        if found.error_code is ErrorCode.offset_out_of_range and self._strict:
            problem = KafkaError(f"reading {source}: {found.error_code.name}", code=OUT_OF_RANGE)
            self._failures.append(PartitionFailure(source, problem))
            reading.paused = True
            return True
        if found.error_code is ErrorCode.offset_out_of_range:
            self._process.schedule.tell(f"{self._fetching.label}: offset {reading.offset} of {source} is out of range")
            reading.offset = EARLIEST
            return True
        if found.error_code is not ErrorCode.none:
            if found.error_code not in TRANSIENT:
                problem = KafkaError(f"reading {source}: {found.error_code.name}", code=found.error_code)
                self._failures.append(PartitionFailure(source, problem))
            return False
        reading.high = found.last_stable_offset if self._committed_only else found.high_watermark
        batch = decoded(source, found.records, reading.offset, found.aborted if self._committed_only else None)
        if batch is not None:
            reading.offset = batch.next_offset
            reading.buffer.append(batch)
            reading.told_end = None
        if reading.offset >= reading.high and reading.told_end != reading.offset:
            reading.end_to_tell = reading.offset
        else:
            reading.end_to_tell = None
        return True


def _begin(batch: Batch) -> int:
    return batch.offsets[0] if len(batch) else batch.next_offset


def _after(batch: Batch, offset: int) -> Batch:
    count = sum(each < offset for each in batch.offsets)
    return Batch(
        batch.source,
        batch.offsets[count:],
        batch.timestamps[count:],
        batch.keys[count:],
        batch.values[count:],
        None,
        batch.next_offset,
    )
