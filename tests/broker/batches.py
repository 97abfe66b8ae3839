"""Record batches made by hand, as a producer would send them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import cramjam
from crc32c import crc32c

Record = tuple[int, bytes | None, bytes | None]
"""Timestamp, key, value."""

COMPRESS = {
    0: bytes,
    1: lambda body: bytes(cramjam.gzip.compress(body)),
    2: lambda body: bytes(cramjam.snappy.compress_raw(body)),
    3: lambda body: bytes(cramjam.lz4.compress(body)),
    4: lambda body: bytes(cramjam.zstd.compress(body)),
}


def varint(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def batch(
    records: Sequence[Record] = ((1000, b"k", b"v"),),
    *,
    codec: int = 0,
    attributes: int = 0,
    producer_id: int = -1,
    epoch: int = -1,
    sequence: int = -1,
) -> bytes:
    first = records[0][0]
    body = b""
    for index, (timestamp, key, value) in enumerate(records):
        key_part = varint(-1) if key is None else varint(len(key)) + key
        value_part = varint(-1) if value is None else varint(len(value)) + value
        fields = b"\0" + varint(timestamp - first) + varint(index) + key_part + value_part + varint(0)
        body += varint(len(fields)) + fields
    latest = max(timestamp for timestamp, _, _ in records)
    covered = struct.pack(
        ">hiqqqhii",
        attributes | codec,
        len(records) - 1,
        first,
        latest,
        producer_id,
        epoch,
        sequence,
        len(records),
    ) + COMPRESS[codec](body)
    return struct.pack(">qiibI", 0, len(covered) + 9, -1, 2, crc32c(covered)) + covered
