"""The header of a record batch (magic 2): the only part of a batch that the broker looks at.

Base offset and leader epoch stand before what the CRC covers, so both can be patched into a stored batch; everything
else stays as the producer sent it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from crc32c import crc32c

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_SIZE = HEADER.size
LENGTH_OVERHEAD = 12
"""Bytes before the part that `batch_length` counts."""
CRC_START = 21
"""Where the part begins that the CRC covers."""
LEADER_EPOCH = 0
NO_PRODUCER = -1

_BASE_OFFSET = struct.Struct(">q")
_PATCHED = struct.Struct(">qii")
_ATTRIBUTES = struct.Struct(">h")
_CRC = struct.Struct(">I")
_COVERED = struct.Struct(">hiqqqhii")
_MAX_TIMESTAMP_AT = 35

CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20


class BatchHeader(NamedTuple):
    """The fields of a batch's header, in wire order. Timestamps are milliseconds."""

    base_offset: int
    batch_length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        return self.batch_length + LENGTH_OVERHEAD

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def control(self) -> bool:
        return bool(self.attributes & CONTROL)


class InvalidBatchError(Exception):
    """The bytes are not one sound record batch. `corrupt` tells a wrong checksum from a wrong form."""

    def __init__(self, message: str, *, corrupt: bool = False) -> None:
        super().__init__(message)
        self.corrupt = corrupt


def read_header(buffer: bytes | bytearray | memoryview, position: int = 0) -> BatchHeader:
    """The header at `position`; the caller has made sure that 61 bytes are there."""
    return BatchHeader._make(HEADER.unpack_from(buffer, position))


def end_of_batches(records: bytes) -> int:
    """The offset after the last of these whole batches."""
    position = end = 0
    while position < len(records):
        header = read_header(records, position)
        position += header.size
        end = header.next_offset
    return end


def checksum_holds(buffer: memoryview, header: BatchHeader, position: int = 0) -> bool:
    return crc32c(buffer[position + CRC_START : position + header.size]) == header.crc


def check_batch(records: bytes) -> BatchHeader:
    """Check that `records` is exactly one intact batch, as Kafka checks what a client produces.

    Raises InvalidBatchError.
    """
    if len(records) < HEADER_SIZE:
        raise InvalidBatchError(f"{len(records)} bytes are too few for a record batch", corrupt=True)
    header = read_header(records)
    if header.magic != 2:
        raise InvalidBatchError(f"record batches of magic {header.magic} are not accepted, only magic 2")
    if header.size != len(records):
        raise InvalidBatchError(
            f"a produce request must hold exactly one batch ({header.size} of {len(records)} bytes)"
        )
    if not checksum_holds(memoryview(records), header):
        raise InvalidBatchError("the checksum of the record batch is wrong", corrupt=True)
    if header.record_count <= 0 or header.last_offset_delta != header.record_count - 1:
        raise InvalidBatchError(f"{header.record_count} records do not fit last offset {header.last_offset_delta}")
    if header.control:
        raise InvalidBatchError("clients may not write control batches")
    if header.producer_id != NO_PRODUCER and (header.producer_epoch < 0 or header.base_sequence < 0):
        raise InvalidBatchError(f"epoch or sequence of producer {header.producer_id} is negative")
    return header


def stored_parts(records: bytes | bytearray, base_offset: int) -> list[bytes | memoryview]:
    """The batch as the log keeps it, without copying its body: base offset and leader epoch are the log's."""
    (length,) = struct.unpack_from(">i", records, 8)
    return [_PATCHED.pack(base_offset, length, LEADER_EPOCH), memoryview(records)[16:]]


def with_append_time(records: bytes | bytearray, now_ms: int) -> bytearray:
    """The batch stamped by the broker (message.timestamp.type=LogAppendTime), its checksum renewed."""
    stamped = bytearray(records)
    header = read_header(records)
    _ATTRIBUTES.pack_into(stamped, CRC_START, header.attributes | LOG_APPEND_TIME)
    _BASE_OFFSET.pack_into(stamped, _MAX_TIMESTAMP_AT, now_ms)
    _CRC.pack_into(stamped, 17, crc32c(memoryview(stamped)[CRC_START:]))
    return stamped


def rebuilt(header: BatchHeader, body: bytes) -> tuple[BatchHeader, bytes]:
    """A batch with this header and body, its length and checksum made to fit; no longer part of a transaction."""
    return sealed(header._replace(attributes=header.attributes & ~TRANSACTIONAL), body)


def sealed(header: BatchHeader, body: bytes) -> tuple[BatchHeader, bytes]:
    """A batch with this header and body, its length and checksum made to fit."""
    covered = _COVERED.pack(*header[5:]) + body
    length = CRC_START - LENGTH_OVERHEAD + len(covered)
    fresh = header._replace(batch_length=length, leader_epoch=LEADER_EPOCH, crc=crc32c(covered))
    return fresh, HEADER.pack(*fresh) + body


def empty_batch(base_offset: int, next_offset: int) -> tuple[BatchHeader, bytes]:
    """Stands for offsets whose records are gone, so that a log has no holes in which damage could hide."""
    delta = next_offset - base_offset - 1
    return rebuilt(BatchHeader(base_offset, 0, LEADER_EPOCH, 2, 0, 0, delta, -1, -1, NO_PRODUCER, -1, -1, 0), b"")
