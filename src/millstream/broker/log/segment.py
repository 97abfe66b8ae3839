"""One segment: consecutive batches of a partition, with a sparse index by offset and by time.

The index holds one entry per 4 KiB of batches; between two entries batch headers are read. It lives in memory and is
rebuilt from the headers when a segment is opened, when every checksum is verified anyway.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from millstream.broker.log.batch import HEADER_SIZE, BatchHeader, checksum_holds, read_header
from millstream.broker.log.blob import Blob
from millstream.broker.log.notes import SegmentNote
from millstream.broker.log.records import UnreadableRecordsError

INDEX_INTERVAL_BYTES = 4096
_SCAN_CHUNK = 4 * 1024 * 1024


class DamagedError(UnreadableRecordsError):
    """Bytes in a segment are not those that were written; they are not given out."""


class Segment:
    """Batches from `base_offset` on; `next_offset` is the first offset after them."""

    def __init__(self, base_offset: int, blob: Blob) -> None:
        self.base_offset = base_offset
        self.next_offset = base_offset
        self.max_timestamp = -1
        self.opened_ms = -1
        """When its first batch was written; of one that was found on disk, the time of that batch's records."""
        self.written_ms = blob.modified_ms
        """Time of day of the last write."""
        self.compacted_ms = -1
        """Time of day at which compaction first kept its tombstones; -1 if it has not been compacted."""
        self.has_tombstones = False
        """Whether compaction kept any."""
        self.has_records = False
        """Whether any batch still has records: compaction leaves empty ones."""
        self.verified = True
        """Whether every batch is known to be as it was written; false of one taken over from its note."""
        self.damaged = False
        """Whether one was found not to be: what is read of it is checked each time, and nobody looks again."""
        self.blob = blob
        self._offsets: list[int] = []
        self._positions: list[int] = []
        self._max_timestamps: list[int] = []
        """The latest timestamp of all batches before the entry's: ascending, so that it can be searched."""

    @classmethod
    def noted(cls, base_offset: int, blob: Blob, note: SegmentNote) -> Segment:
        """The segment as its note tells it; its batches are checked when they are read."""
        segment = cls(base_offset, blob)
        segment.next_offset, segment.max_timestamp = note.next_offset, note.max_timestamp
        segment.opened_ms, segment.compacted_ms = note.opened_ms, note.compacted_ms
        segment.has_tombstones, segment.has_records = note.has_tombstones, note.has_records
        segment._offsets, segment._positions = note.offsets, note.positions
        segment._max_timestamps = note.max_timestamps
        segment.verified = False
        return segment

    def note(self) -> SegmentNote:
        """What is to be known of it at the next start."""
        return SegmentNote(
            self.size,
            self.next_offset,
            self.max_timestamp,
            self.opened_ms,
            self.compacted_ms,
            self.has_tombstones,
            self.has_records,
            self._offsets,
            self._positions,
            self._max_timestamps,
        )

    @property
    def size(self) -> int:
        return self.blob.size

    def append(self, header: BatchHeader, parts: Sequence[bytes | memoryview], base_offset: int) -> None:
        """Write one batch. `header` is the producer's, `base_offset` the log's. Raises OSError, changing nothing."""
        position = self.blob.size
        self.blob.append(parts)
        self._register(header, base_offset, position)

    def recover(self, on_batch: Callable[[BatchHeader, memoryview], None]) -> int:
        """Read every batch, cut off the first one that is torn or wrong and all that follow it; returns bytes cut."""
        end = self.blob.size
        position = 0
        for header, start, batch in self._intact_batches():
            self._register(header, header.base_offset, start)
            on_batch(header, batch)
            position = start + header.size
        if position < end:
            self.blob.truncate(position)
        return end - position

    def find(self, offset: int) -> tuple[int, BatchHeader] | None:
        """Position and header of the batch that holds `offset`, or of the first one after it."""
        if offset >= self.next_offset:
            return None
        entry = max(bisect_right(self._offsets, offset) - 1, 0)
        for position, header in self._headers_from(self._positions[entry], self._offsets[entry]):
            if header.next_offset > offset:
                return position, header
        return None

    def read(self, position: int, size: int) -> bytes:
        """Whole batches, those before the first that is not as it was written; DamagedError where that is the first."""
        data = self.blob.read(position, size)
        if self.verified or not size:  # no room for even one batch is no damage
            return data
        intact = _intact(memoryview(data))
        if not intact:
            raise DamagedError(f"segment {self.base_offset} is damaged at byte {position}")
        return data[:intact]

    def verify(self) -> Iterator[None]:
        """Check every batch, in small steps. Raises DamagedError."""
        try:
            for position, header in self._headers_from(0, self.base_offset):
                self.read(position, header.size)
                yield
        except DamagedError:
            self.damaged = True
            raise
        self.verified = True

    def whole_batches(self, position: int, max_bytes: int) -> int:
        """How many bytes from `position` on are whole batches and at most `max_bytes`; 0 if not even one fits."""
        limit = position + max_bytes
        if limit >= self.size:
            return self.size - position
        entry = bisect_right(self._positions, limit) - 1
        end = max(self._positions[entry], position) if entry >= 0 else position
        with suppress(DamagedError):  # which is told when it is read
            for start, header in self._headers_from(end):
                if start + header.size > limit:
                    break
                end = start + header.size
        return end - position

    def batches_reaching(self, timestamp_ms: int) -> Iterator[tuple[int, BatchHeader]]:
        """Position and header of the batches whose latest record is at `timestamp_ms` or later, in order."""
        if self.max_timestamp < timestamp_ms or not self._positions:
            return
        entry = max(bisect_left(self._max_timestamps, timestamp_ms) - 1, 0)
        for position, header in self._headers_from(self._positions[entry], self._offsets[entry]):
            if header.max_timestamp >= timestamp_ms:
                yield position, header

    def _register(self, header: BatchHeader, base_offset: int, position: int) -> None:
        if not self._positions or position - self._positions[-1] >= INDEX_INTERVAL_BYTES:
            self._offsets.append(base_offset)
            self._positions.append(position)
            self._max_timestamps.append(self.max_timestamp)
        if self.opened_ms < 0:
            self.opened_ms = max(header.max_timestamp, 0)
        self.has_records = self.has_records or header.record_count > 0
        self.next_offset = base_offset + header.last_offset_delta + 1
        self.max_timestamp = max(self.max_timestamp, header.max_timestamp)

    def _headers_from(self, position: int, expected: int | None = None) -> Iterator[tuple[int, BatchHeader]]:
        """Position and header of each batch from one on. Base offsets are outside of the checksums: they must follow
        one another, from `expected` on where that is known. Raises DamagedError where they don't.
        """
        while position + HEADER_SIZE <= self.size:
            header = read_header(self.blob.read(position, HEADER_SIZE))
            fits = header.size >= HEADER_SIZE and header.magic == 2
            if not fits or (expected is not None and header.base_offset != expected):
                raise DamagedError(f"segment {self.base_offset} is damaged at byte {position}")
            yield position, header
            expected = header.next_offset
            position += header.size

    def batches(self) -> Iterator[tuple[BatchHeader, memoryview]]:
        """Header and bytes of each batch. Raises OSError, and DamagedError where one is not as it was written."""
        for position, header in self._headers_from(0, self.base_offset):
            yield header, memoryview(self.read(position, header.size))

    def position_of(self, offset: int) -> int:
        """Where the batch stands that begins at or after `offset`; the segment's size if there is none."""
        found = self.find(offset)
        return self.size if found is None else found[0]

    def _intact_batches(self) -> Iterator[tuple[BatchHeader, int, memoryview]]:
        """Header, position and bytes of each batch until the first that is not whole, not in order or not intact."""
        end = self.blob.size
        start = 0
        chunk = memoryview(b"")
        chunk_at = 0
        expected = self.base_offset
        while start + HEADER_SIZE <= end:
            if start + HEADER_SIZE > chunk_at + len(chunk):
                chunk, chunk_at = memoryview(self.blob.read(start, _SCAN_CHUNK)), start
            header = read_header(chunk, start - chunk_at)
            if header.size < HEADER_SIZE or start + header.size > end or header.magic != 2:
                return
            if start + header.size > chunk_at + len(chunk):
                chunk, chunk_at = memoryview(self.blob.read(start, max(_SCAN_CHUNK, header.size))), start
            # The base offset is outside the checksum; in a log without holes it can be checked all the same.
            in_order = header.base_offset == expected and header.last_offset_delta >= 0
            if not in_order or not checksum_holds(chunk, header, start - chunk_at):
                return
            yield header, start, chunk[start - chunk_at : start - chunk_at + header.size]
            expected = header.next_offset
            start += header.size


def _intact(batches: memoryview) -> int:
    """How many bytes are whole batches, one after the other, as they were written."""
    end, expected = 0, None
    while end + HEADER_SIZE <= len(batches):
        header = read_header(batches, end)
        follows = expected is None or header.base_offset == expected
        whole = header.size >= HEADER_SIZE and header.magic == 2 and end + header.size <= len(batches)
        if not (follows and whole and checksum_holds(batches, header, end)):
            break
        end, expected = end + header.size, header.next_offset
    return end
