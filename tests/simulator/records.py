"""Record batches as clients write and read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from millstream.broker.log.batch import HEADER_SIZE, TRANSACTIONAL, BatchHeader, read_header
from millstream.broker.log.markers import commits
from millstream.broker.log.records import _varint
from millstream.model import Batch, OutBatch, TopicPartition
from tests.broker.batches import batch


def encoded(rows: OutBatch, producer_id: int, epoch: int, sequence: int, *, transactional: bool = False) -> bytes:
    assert not rows.headers or not any(rows.headers), "the simulated client has no headers"
    return batch(
        list(zip(rows.timestamps, rows.keys, rows.values, strict=True)),
        producer_id=producer_id,
        epoch=epoch,
        sequence=sequence,
        attributes=TRANSACTIONAL if transactional else 0,
    )


def headers(records: bytes) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Each batch of what a fetch gave: its header and all its bytes."""
    view, position = memoryview(records), 0
    while position < len(records):
        header = read_header(view, position)
        yield header, view[position : position + header.size]
        position += header.size


def rows(header: BatchHeader, data: memoryview) -> Iterator[tuple[int, int, bytes | None, bytes | None]]:
    """Offset, timestamp, key and value of each record; the simulated producers don't compress."""
    body = bytes(data[HEADER_SIZE:])
    position = 0
    for _ in range(header.record_count):
        size, position = _varint(body, position)
        end = position + size
        stamp, position = _varint(body, position + 1)
        delta, position = _varint(body, position)
        key, position = _field(body, position)
        value, position = _field(body, position)
        yield header.base_offset + delta, header.base_timestamp + stamp, key, value
        position = end


def _field(body: bytes, position: int) -> tuple[bytes | None, int]:
    size, position = _varint(body, position)
    return (None, position) if size < 0 else (body[position : position + size], position + size)


def decoded(
    source: TopicPartition, records: bytes, offset: int, aborted: Sequence[tuple[int, int]] | None
) -> Batch | None:
    """What a consumer sees of a fetch from `offset` on; `aborted` as the broker told it, None: uncommitted too."""
    found: list[tuple[int, int, bytes | None, bytes | None]] = []
    void: set[int] = set()
    waiting = sorted(aborted or (), key=lambda each: each[1])
    end = offset
    for header, data in headers(records):
        end = header.next_offset
        while waiting and waiting[0][1] <= header.base_offset:
            void.add(waiting.pop(0)[0])
        if header.control:
            if not commits(data):
                void.discard(header.producer_id)
        elif not (header.transactional and header.producer_id in void):
            found += [row for row in rows(header, data) if row[0] >= offset]
    if end <= offset:
        return None
    columns = list(zip(*found, strict=True)) if found else [(), (), (), ()]
    return Batch(source, *columns, None, end)
