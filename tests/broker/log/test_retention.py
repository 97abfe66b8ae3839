"""Retention: which segments go by age and size, and what stays in any case."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.broker.log.blob import FileFolder, MemoryFolder
from millstream.broker.log.partition import LogSettings, PartitionLog
from millstream.broker.log.retention import Retention
from tests.broker.batches import batch

DAY = 86_400_000
SIZE = len(batch())


def log_of(stamps: list[int], settings: LogSettings) -> PartitionLog:
    """One segment for every two records."""
    log = PartitionLog("t-0", MemoryFolder(), settings)
    for stamp in stamps:
        log.append(batch([(stamp, b"k", b"v")]), stamp)
    return log


def settings(**retention: int) -> LogSettings:
    return LogSettings(segment_bytes=2 * SIZE, retention=Retention(**retention))


def test_segments_go_when_their_latest_record_is_too_old() -> None:
    log = log_of([10, 20, 30, 40, 50], settings(age_ms=100))
    assert log.expire(120) == 0
    assert log.expire(121) == 1
    assert (log.start_offset, log.end_offset) == (2, 5)
    assert log.expire(151) == 2, "the segment that is written to goes too"
    assert (log.start_offset, log.end_offset, log.size) == (5, 5, 0)
    assert log.append(batch(), 200).base_offset == 5


def test_replayed_events_are_as_old_as_their_writing_where_that_is_asked(tmp_path: Path) -> None:
    kept = LogSettings(segment_bytes=2 * SIZE, retention=Retention(age_ms=100, since_written=True))
    log = PartitionLog("t-0", MemoryFolder(), kept)
    log.append(batch([(10, b"k", b"v")]), 5_000)
    assert log.expire(5_100) == 0
    assert log.expire(5_101) == 1
    on_disk = PartitionLog("t-0", FileFolder(tmp_path), kept)
    on_disk.append(batch([(10, b"k", b"v")]), 5_000)
    on_disk.close()
    again = PartitionLog("t-0", FileFolder(tmp_path), kept)
    assert again.expire(5_101) == 0, "the file was written just now"
    again.close()


def test_a_younger_segment_keeps_those_after_it() -> None:
    log = log_of([10, 500, 30, 40, 50], settings(age_ms=100))
    assert log.expire(200) == 0


@pytest.mark.parametrize(("kept", "start"), [(5, 0), (4, 0), (3, 2), (2, 2), (1, 4), (0, 4)])
def test_the_oldest_segments_go_when_there_are_too_many(kept: int, start: int) -> None:
    log = log_of([1] * 5, settings(size_bytes=kept * SIZE))
    log.expire(1)
    assert log.start_offset == start


def test_nothing_goes_without_bounds() -> None:
    log = log_of([1] * 5, settings())
    assert log.expire(10**15) == 0


def test_records_of_an_open_transaction_stay() -> None:
    log = PartitionLog("t-0", MemoryFolder(), settings(age_ms=100, size_bytes=0))
    log.append(batch([(1, b"k", b"v")]), 1)
    log.append(batch(attributes=0x10, producer_id=1, epoch=0, sequence=0), 1, lambda _: None)
    for _ in range(4):
        log.append(batch([(1, b"k", b"v")]), 1)
    assert log.expire(10**6) == 0
    log.append_marker(1, 0, 2, commit=True)
    assert log.expire(10**6) > 0


def test_segments_roll_by_time() -> None:
    folder = MemoryFolder()
    log = PartitionLog("t-0", folder, LogSettings(segment_ms=100))
    log.append(batch(), 1_000)
    log.append(batch(), 1_099)
    log.roll_in_time(1_099)
    assert folder.bases() == [0]
    log.append(batch(), 1_100)
    assert folder.bases() == [0, 2]
    log.roll_in_time(1_200)
    assert folder.bases() == [0, 2, 3]
    log.roll_in_time(5_000)
    assert folder.bases() == [0, 2, 3], "an empty segment does not roll"


def test_an_expired_log_keeps_its_offsets_when_it_is_opened_again(tmp_path: Path) -> None:
    log = PartitionLog("t-0", FileFolder(tmp_path), settings(age_ms=100))
    for stamp in (10, 20, 30):
        log.append(batch([(stamp, b"k", b"v")]), stamp)
    log.expire(DAY)
    log.close()
    again = PartitionLog("t-0", FileFolder(tmp_path), settings(age_ms=100))
    assert (again.start_offset, again.end_offset) == (3, 3)
    again.close()
