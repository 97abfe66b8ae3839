"""The log of one partition: segments in order, offsets given out, batches read back.

Nothing here knows requests or connections; the time is passed in. Leader epoch is always 0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kio.schema.errors import ErrorCode

from millstream.broker.log.batch import CODEC_MASK, BatchHeader, check_batch, stored_parts, with_append_time
from millstream.broker.log.blob import Folder
from millstream.broker.log.markers import marker, marker_header
from millstream.broker.log.producers import Producers, Repeat
from millstream.broker.log.records import first_at_or_after, out_of_time, recompressed, without_key
from millstream.broker.log.recovery import forget_notes, note_end, note_forgotten, note_segment, recovered
from millstream.broker.log.retention import Retention, expired
from millstream.broker.log.segment import Segment
from millstream.broker.log.transactions import LogTransactions

LARGEST_SEGMENT_BYTES = 128 * 1024 * 1024
"""Segments roll here even if the topic allows more, so that old data can be let go in small steps."""
LARGEST_COMPACTED_SEGMENT = 500_000
"""Records, after which segments of compacted topics roll: a pass of compaction has to remember their keys."""

NOTHING_EXPIRES = Retention()


@dataclass(frozen=True, slots=True)
class CompactionRules:
    """When a compacted topic is compacted, and how long its tombstones stay."""

    dirty_ratio: float = 0.5
    min_lag_ms: int = 0
    max_lag_ms: int = 2**63 - 1
    delete_retention_ms: int = 86_400_000


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What a topic's configuration means to its logs."""

    max_message_bytes: int = 1048588
    segment_bytes: int = 1 << 30
    segment_ms: int = 604_800_000
    retention: Retention = NOTHING_EXPIRES
    append_time: bool = False
    codec: int | None = None
    """What every batch is compressed with; None leaves it as the producer sent it."""
    compacted: bool = False
    compaction: CompactionRules = CompactionRules()
    timestamp_before_max_ms: int = 2**63 - 1
    timestamp_after_max_ms: int = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Appended:
    base_offset: int
    append_time_ms: int = -1


class RefusedError(Exception):
    """A batch is not taken; `code` is what Kafka answers. `records` are those at fault, by their place in the batch."""

    def __init__(self, code: ErrorCode, message: str, records: tuple[tuple[int, str], ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.records = records


Admission = Callable[[BatchHeader], ErrorCode | None]
"""Why the producer of a transactional batch may not write it, or None if it has a transaction here."""


def no_transaction(header: BatchHeader) -> ErrorCode | None:
    """For logs that nobody writes transactions to."""
    return ErrorCode.invalid_txn_state


class PartitionLog:
    """Batches by offset. Opening it repairs what a crash left: a torn or damaged end is cut off.

    With `trusted` what the log noted about its closed segments is believed, so that these need not be read.
    """

    def __init__(
        self, name: str, folder: Folder, settings: LogSettings, start_offset: int = 0, *, trusted: bool = False
    ) -> None:
        self.name = name
        self.settings = settings
        self.closed = False
        self._folder = folder
        self._segments, self._writers = recovered(name, folder, start_offset, trusted=trusted)
        self.start_offset = max(start_offset, self._segments[0].base_offset)
        self.transactions.forget_before(self.start_offset)

    @property
    def producers(self) -> Producers:
        return self._writers.producers

    @property
    def transactions(self) -> LogTransactions:
        return self._writers.transactions

    @property
    def end_offset(self) -> int:
        return self._segments[-1].next_offset

    @property
    def stable_offset(self) -> int:
        """Where the first open transaction begins, or the end: what `read_committed` consumers see lies before it."""
        first_open = self.transactions.first_open
        return self.end_offset if first_open is None else first_open

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self._segments)

    def append(self, records: bytes, now_ms: int, admission: Admission = no_transaction) -> Appended:
        """Check and write one batch from a producer; a repeat gets the offset that it has already.

        Raises RefusedError for what Kafka refuses, InvalidBatchError for bytes that are no batch, and OSError if the
        disk does not take it; the log is then as before.
        """
        header = check_batch(records)
        self._check_limits(header, records, now_ms)
        verdict = self.producers.check(header)
        if isinstance(verdict, Repeat):
            return Appended(verdict.base_offset, verdict.timestamp_ms if self.settings.append_time else -1)
        if verdict is not None:
            raise RefusedError(verdict, f"producer {header.producer_id} sent sequence {header.base_sequence}")
        self._check_transaction(header, admission)
        stored: bytes | bytearray = records
        codec = self.settings.codec
        if codec is not None and codec != header.attributes & CODEC_MASK:
            header, stored = recompressed(header, records, codec)
        if self.settings.append_time:
            stored = with_append_time(stored, now_ms)
            header = header._replace(max_timestamp=now_ms)
        base_offset = self.end_offset
        try:
            self._segment_for(len(stored), now_ms).append(header, stored_parts(stored, base_offset), base_offset)
        except OSError:
            self.producers.await_first(header, now_ms)
            raise
        self._writers.wrote(header, base_offset, now_ms)
        return Appended(base_offset, now_ms if self.settings.append_time else -1)

    def append_marker(self, producer_id: int, epoch: int, now_ms: int, *, commit: bool) -> int:
        """End the producer's transaction here; returns the bytes written. Raises OSError, changing nothing."""
        batch = marker(producer_id, epoch, now_ms, commit=commit)
        base_offset = self.end_offset
        self._segment_for(len(batch), now_ms).append(
            marker_header(batch), stored_parts(batch, base_offset), base_offset
        )
        self._writers.ended(producer_id, epoch, now_ms, base_offset, commit=commit)
        return len(batch)

    def read(self, offset: int, max_bytes: int, *, at_least_one: bool, before: int | None = None) -> bytes:
        """Whole batches from the one that holds `offset` on, at most `max_bytes` of one segment.

        With `at_least_one` the first batch is given even if it is larger. `before` is where a batch begins at which
        the reading ends. `offset` must not be outside the log. Raises DamagedError, instead of giving what is damaged.
        """
        index = max(bisect_right(self._segments, offset, key=lambda segment: segment.base_offset) - 1, 0)
        for segment in self._segments[index:]:
            found = segment.find(offset)
            if found is None:
                continue
            position, header = found
            if before is not None and before < segment.next_offset:
                room = segment.position_of(before) - position
                if room <= 0:
                    return b""
                max_bytes = min(max_bytes, room)
            size = segment.whole_batches(position, max_bytes)
            if size == 0 and at_least_one:
                size = header.size
            return segment.read(position, size)
        return b""

    def find_timestamp(self, timestamp_ms: int) -> tuple[int, int] | None:
        """Offset and timestamp of the first record at `timestamp_ms` or later, or None. Raises DamagedError."""
        for segment in self._segments:
            for position, header in segment.batches_reaching(timestamp_ms):
                if header.next_offset <= self.start_offset:
                    continue
                batch = memoryview(segment.read(position, header.size))
                found = first_at_or_after(header, batch, timestamp_ms, self.start_offset)
                if found is not None:
                    return found
        return None

    def latest_timestamp(self) -> tuple[int, int] | None:
        """Offset and timestamp of the first record with the latest timestamp of all, or None for an empty log."""
        latest = max(segment.max_timestamp for segment in self._segments)
        return self.find_timestamp(latest) if latest >= 0 else None

    def delete_before(self, offset: int) -> None:
        """Move the start of the log; segments that lie wholly before it are removed."""
        self.start_offset = max(self.start_offset, offset)
        while len(self._segments) > 1 and self._segments[0].next_offset <= self.start_offset:
            self._remove_first()
        self.transactions.forget_before(self.start_offset)

    def roll_in_time(self, now_ms: int) -> None:
        """Close a segment that has been written to for `segment.ms`. Raises OSError."""
        active = self._segments[-1]
        if active.size and now_ms - active.opened_ms >= self.settings.segment_ms:
            self._roll()

    def expire(self, now_ms: int) -> int:
        """Remove what is too old or too much; gives the number of segments that went. Raises OSError."""
        count = expired(self._segments, self.settings.retention, self.stable_offset, now_ms)
        if count == len(self._segments):
            self._roll()
        for _ in range(count):
            self._remove_first()
        self.start_offset = max(self.start_offset, self._segments[0].base_offset)
        self.transactions.forget_before(self.start_offset)
        return count

    @property
    def closed_segments(self) -> list[Segment]:
        """All but the one that is written to."""
        return self._segments[:-1]

    def draft(self, base_offset: int) -> Segment:
        """A segment that may take the place of others (`replace`). Raises OSError."""
        return Segment(base_offset, self._folder.draft(base_offset))

    def holds(self, segments: Sequence[Segment]) -> bool:
        """Whether these segments are all still there."""
        return not self.closed and all(segment in self._segments for segment in segments)

    def replace(self, old: Sequence[Segment], fresh: Segment) -> None:
        """Put a draft in the place of consecutive segments, at once or not at all. Raises OSError.

        A crash leaves the old ones after the first, which the fresh one overlaps: they are removed on start. Markers
        in the old ones have had their effect on the fresh one, so that their transactions are not told any more.
        """
        forget_notes(self._folder, old)
        self._folder.adopt(fresh.base_offset, fresh.blob)
        at = self._segments.index(old[0])
        self._segments[at : at + len(old)] = [fresh]
        for segment in old:
            segment.blob.close()
            if segment.base_offset != fresh.base_offset:
                self._folder.remove(segment.base_offset)
        self.transactions.forget_before(fresh.next_offset)
        note_segment(self.name, self._folder, fresh)
        note_forgotten(self.name, self._folder, self._segments[-1], fresh.next_offset)

    def _remove_first(self) -> None:
        gone = self._segments.pop(0)
        gone.blob.close()
        forget_notes(self._folder, [gone])
        self._folder.remove(gone.base_offset)

    def unverified(self) -> list[Segment]:
        """Segments taken over from their notes, whose bytes nobody has looked at yet."""
        return [segment for segment in self._segments if not (segment.verified or segment.damaged)]

    def close(self) -> None:
        """Note the last segment too, so that the next start reads nothing, and close the files."""
        if not self.closed:
            self._note_end()
        self._close_files()

    def destroy(self) -> None:
        self._close_files()
        self._folder.destroy()

    def _close_files(self) -> None:
        self.closed = True
        for segment in self._segments:
            segment.blob.close()

    def _note_end(self) -> None:
        note_end(self.name, self._folder, self._segments[-1], self._writers)

    def _check_limits(self, header: BatchHeader, records: bytes, now_ms: int) -> None:
        settings = self.settings
        if len(records) > settings.max_message_bytes:
            text = f"a batch of {len(records)} bytes exceeds max.message.bytes={settings.max_message_bytes}"
            raise RefusedError(ErrorCode.message_too_large, text)
        if len(records) > settings.segment_bytes:
            text = f"a batch of {len(records)} bytes exceeds segment.bytes={settings.segment_bytes}"
            raise RefusedError(ErrorCode.record_list_too_large, text)
        if not settings.append_time:
            earliest, latest = now_ms - settings.timestamp_before_max_ms, now_ms + settings.timestamp_after_max_ms
            if header.base_timestamp < earliest or header.max_timestamp > latest:
                outside = out_of_time(header, memoryview(records), earliest, latest)
                limits = f"the topic's limits, {earliest} to {latest}"
                errors = tuple((index, f"timestamp {stamp} is outside {limits}") for index, stamp in outside)
                raise RefusedError(ErrorCode.invalid_timestamp, f"timestamps are outside {limits}", errors)
        if settings.compacted and (keyless := without_key(header, memoryview(records))):
            text = "a record for a compacted topic must have a key"
            raise RefusedError(ErrorCode.invalid_record, text, tuple((index, text) for index in keyless))

    def _check_transaction(self, header: BatchHeader, admission: Admission) -> None:
        if header.transactional:
            problem = admission(header)
            if problem is not None:
                raise RefusedError(problem, f"producer {header.producer_id} has no transaction with this partition")
        elif self.transactions.is_open(header.producer_id):
            text = f"producer {header.producer_id} has a transaction open and wrote outside of it"
            raise RefusedError(ErrorCode.invalid_txn_state, text)

    def _segment_for(self, size: int, now_ms: int) -> Segment:
        active = self._segments[-1]
        if active.size and (
            active.size + size > min(self.settings.segment_bytes, LARGEST_SEGMENT_BYTES)
            or now_ms - active.opened_ms >= self.settings.segment_ms
            or (self.settings.compacted and active.next_offset - active.base_offset >= LARGEST_COMPACTED_SEGMENT)
        ):
            active = self._roll()
        if not active.size:
            active.opened_ms = now_ms
        active.written_ms = now_ms
        return active

    def _roll(self) -> Segment:
        """Begin a new segment at the end of the log."""
        end = self.end_offset
        fresh = Segment(end, self._folder.open(end))
        self._note_end()
        self._segments.append(fresh)
        return fresh
