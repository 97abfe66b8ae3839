"""What a log notes beside its segments, so that a start need not read them: their indexes, and who has written.

A note is believed only if its checksum holds, it fits the segment's size, and the machine has not been started anew
since (what was not synced before a power failure may be missing from the file, whatever the note says). Otherwise the
batches themselves are read. The bytes of a segment that was taken over by its note are checked when they are read, and
in the background.
"""

from __future__ import annotations

import struct
from typing import TypeVar

import msgspec
from crc32c import crc32c

from millstream.broker.log.producers import Producer, Producers, WrittenBatch
from millstream.broker.log.transactions import Aborted, LogTransactions

_CHECKSUM = struct.Struct(">I")

Note = TypeVar("Note", bound=msgspec.Struct)


class SegmentNote(msgspec.Struct, array_like=True, frozen=True):
    """A segment as it was when it was closed: see `Segment` for the fields."""

    size: int
    next_offset: int
    max_timestamp: int
    opened_ms: int
    compacted_ms: int
    has_tombstones: bool
    has_records: bool
    offsets: list[int]
    positions: list[int]
    max_timestamps: list[int]


class WritersNote(msgspec.Struct, array_like=True, frozen=True):
    """Producers and transactions as they are before an offset."""

    offset: int
    producers: list[tuple[int, int, int, list[WrittenBatch]]]
    open: list[tuple[int, int]]
    aborted: list[Aborted]


def written(note: msgspec.Struct) -> bytes:
    """A note as bytes, behind their checksum."""
    body = msgspec.msgpack.encode(note)
    return _CHECKSUM.pack(crc32c(body)) + body


def read(data: bytes | None, kind: type[Note]) -> Note | None:
    """A note from its bytes; None for what is missing, torn or damaged.

    >>> note = WritersNote(7, [], [(1, 5)], [])
    >>> read(written(note), WritersNote) == note, read(written(note)[:-1], WritersNote)
    (True, None)
    """
    if data is None or len(data) < _CHECKSUM.size:
        return None
    body = data[_CHECKSUM.size :]
    if _CHECKSUM.unpack_from(data)[0] != crc32c(body):
        return None
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except msgspec.MsgspecError:
        return None  # of another version


def writers_note(offset: int, producers: Producers, transactions: LogTransactions) -> WritersNote:
    return WritersNote(
        offset,
        [(key, each.epoch, each.last_written_ms, [*each.batches]) for key, each in producers.items()],
        transactions.open(),
        transactions.aborted(0, 2**63 - 1),
    )


def writers_of(note: WritersNote) -> tuple[Producers, LogTransactions]:
    """What `writers_note` noted."""
    producers = Producers()
    for key, epoch, last_written_ms, batches in note.producers:
        known = Producer(epoch, last_written_ms=last_written_ms)
        known.batches.extend(batches)
        producers.put(key, known)
    transactions = LogTransactions()
    for producer_id, offset in note.open:
        transactions.begin(producer_id, offset)
    transactions.put_aborted(note.aborted)
    return producers, transactions
