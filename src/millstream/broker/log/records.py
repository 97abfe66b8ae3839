"""The records inside a batch, for the few questions that a header cannot answer.

Five need them: which record is the first at or after a timestamp, which records for a compacted topic lack their key,
which are too old or too new, which compaction keeps, and a topic with a compression of its own. Only then is a batch
opened (cramjam).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cramjam

from millstream.broker.log.batch import CODEC_MASK, HEADER_SIZE, LOG_APPEND_TIME, BatchHeader, sealed

_XERIAL_MAGIC = b"\x82SNAPPY\x00"


class UnreadableRecordsError(Exception):
    """The records of a batch cannot be decompressed or parsed."""


def first_at_or_after(
    header: BatchHeader, batch: memoryview, timestamp_ms: int, from_offset: int
) -> tuple[int, int] | None:
    """Offset and timestamp of the first record with `timestamp_ms` or later, not before `from_offset`; or None."""
    if header.attributes & LOG_APPEND_TIME:
        if header.max_timestamp < timestamp_ms:
            return None
        return max(header.base_offset, from_offset), header.max_timestamp
    for offset_delta, timestamp_delta, _ in _scan(header, batch):
        stamp = header.base_timestamp + timestamp_delta
        if stamp >= timestamp_ms and header.base_offset + offset_delta >= from_offset:
            return header.base_offset + offset_delta, stamp
    return None


def without_key(header: BatchHeader, batch: memoryview) -> list[int]:
    """The records that have no key, by their place in the batch."""
    return [index for index, (_, _, key_size) in enumerate(_scan(header, batch)) if key_size < 0]


def out_of_time(header: BatchHeader, batch: memoryview, earliest_ms: int, latest_ms: int) -> list[tuple[int, int]]:
    """Place in the batch and timestamp of the records that are older or newer than that."""
    stamps = ((index, header.base_timestamp + delta) for index, (_, delta, _) in enumerate(_scan(header, batch)))
    return [(index, stamp) for index, stamp in stamps if not earliest_ms <= stamp <= latest_ms]


class KeyedRecord(NamedTuple):
    """What compaction asks of a record. `raw` is all of it, length included; a `tombstone` has no value."""

    offset: int
    timestamp: int
    key: bytes | None
    tombstone: bool
    raw: bytes


def keyed_records(header: BatchHeader, batch: memoryview) -> Iterator[KeyedRecord]:
    """The records of a batch. Raises UnreadableRecordsError."""
    body = bytes(_decompressed(header.attributes & CODEC_MASK, batch[HEADER_SIZE : header.size]))
    position = 0
    try:
        for _ in range(header.record_count):
            begin = position
            size, position = _varint(body, position)
            end = position + size
            timestamp_delta, position = _varint(body, position + 1)
            offset_delta, position = _varint(body, position)
            key_size, position = _varint(body, position)
            key = None if key_size < 0 else body[position : position + key_size]
            value_size, _ = _varint(body, position + max(key_size, 0))
            yield KeyedRecord(
                header.base_offset + offset_delta,
                header.base_timestamp + timestamp_delta,
                key,
                value_size < 0,
                body[begin:end],
            )
            position = end
    except IndexError as error:
        raise UnreadableRecordsError("the records end in the middle of a record") from error


def compressed(codec: int, body: bytes) -> bytes:
    """As a producer with this codec sends it."""
    return _COMPRESS[codec](body)


def recompressed(header: BatchHeader, records: bytes, codec: int) -> tuple[BatchHeader, bytes]:
    """The batch with its records in another codec. Raises UnreadableRecordsError."""
    body = _decompressed(header.attributes & CODEC_MASK, memoryview(records)[HEADER_SIZE:])
    changed = header._replace(attributes=header.attributes & ~CODEC_MASK | codec)
    return sealed(changed, compressed(codec, bytes(body)))


def _scan(header: BatchHeader, batch: memoryview) -> Iterator[tuple[int, int, int]]:
    """(offset delta, timestamp delta, key length or -1) of each record."""
    body = _decompressed(header.attributes & CODEC_MASK, batch[HEADER_SIZE : header.size])
    position = 0
    try:
        for _ in range(header.record_count):
            size, position = _varint(body, position)
            end = position + size
            timestamp_delta, position = _varint(body, position + 1)
            offset_delta, position = _varint(body, position)
            key_size, _ = _varint(body, position)
            yield offset_delta, timestamp_delta, key_size
            position = end
    except IndexError as error:
        raise UnreadableRecordsError("the records end in the middle of a record") from error


def _varint(buffer: bytes | memoryview, position: int) -> tuple[int, int]:
    byte = buffer[position]
    position += 1
    value = byte & 0x7F
    shift = 7
    while byte & 0x80:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    return (value >> 1) ^ -(value & 1), position


def _decompressed(codec: int, body: memoryview) -> bytes | memoryview:
    if codec == 0:
        return body
    decompress = _CODECS.get(codec)
    if decompress is None:
        raise UnreadableRecordsError(f"compression codec {codec} is unknown")
    try:
        return decompress(bytes(body))
    except (cramjam.DecompressionError, ValueError, IndexError) as error:
        raise UnreadableRecordsError(f"the records cannot be decompressed: {error}") from error


def _snappy(body: bytes) -> bytes:
    """Raw snappy, or the framing of xerial's Java library (a magic, then blocks with their lengths)."""
    if not body.startswith(_XERIAL_MAGIC):
        return bytes(cramjam.snappy.decompress_raw(body))
    position = 16
    blocks = []
    while position < len(body):
        size = int.from_bytes(body[position : position + 4], "big")
        blocks.append(bytes(cramjam.snappy.decompress_raw(body[position + 4 : position + 4 + size])))
        position += 4 + size
    return b"".join(blocks)


_CODECS: dict[int, Callable[[bytes], bytes]] = {
    1: lambda body: bytes(cramjam.gzip.decompress(body)),
    2: _snappy,
    3: lambda body: bytes(cramjam.lz4.decompress(body)),
    4: lambda body: bytes(cramjam.zstd.decompress(body)),
}

_COMPRESS: dict[int, Callable[[bytes], bytes]] = {
    0: lambda body: body,
    1: lambda body: bytes(cramjam.gzip.compress(body)),
    2: lambda body: bytes(cramjam.snappy.compress_raw(body)),
    3: lambda body: bytes(cramjam.lz4.compress(body)),
    4: lambda body: bytes(cramjam.zstd.compress(body)),
}
