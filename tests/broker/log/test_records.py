"""Opening a batch: every codec, snappy's two framings, and rubbish."""

from __future__ import annotations

import cramjam
import pytest

from millstream.broker.log.batch import HEADER_SIZE, read_header
from millstream.broker.log.records import UnreadableRecordsError, first_at_or_after, without_key
from tests.broker.batches import batch

RECORDS = [(100, b"a", b"x" * 300), (200, b"b", b""), (300, None, b"z")]


@pytest.mark.parametrize("codec", range(5))
def test_every_codec(codec: int) -> None:
    raw = batch(RECORDS, codec=codec)
    header = read_header(raw)
    assert first_at_or_after(header, memoryview(raw), 150, 0) == (1, 200)
    assert first_at_or_after(header, memoryview(raw), 0, 2) == (2, 300)
    assert first_at_or_after(header, memoryview(raw), 301, 0) is None
    assert without_key(header, memoryview(raw)) == [2]


def test_snappy_as_java_frames_it() -> None:
    plain = batch(RECORDS)
    body = plain[HEADER_SIZE:]
    blocks = [bytes(cramjam.snappy.compress_raw(part)) for part in (body[:100], body[100:])]
    framed = b"\x82SNAPPY\x00" + bytes(8) + b"".join(len(block).to_bytes(4, "big") + block for block in blocks)
    raw = plain[:HEADER_SIZE] + framed
    header = read_header(raw)._replace(attributes=2, batch_length=len(raw) - 12)
    assert first_at_or_after(header, memoryview(raw), 250, 0) == (2, 300)


@pytest.mark.parametrize("codec", range(1, 8))
def test_rubbish_is_told(codec: int) -> None:
    raw = batch(RECORDS)
    header = read_header(raw)._replace(attributes=codec)
    with pytest.raises(UnreadableRecordsError):
        without_key(header, memoryview(raw))


def test_records_that_end_early_are_told() -> None:
    raw = batch(RECORDS[:2])
    header = read_header(raw)._replace(record_count=9)
    with pytest.raises(UnreadableRecordsError):
        without_key(header, memoryview(raw))
