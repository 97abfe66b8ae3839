"""Partition logs: offsets, reads, limits, and what a crash leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from millstream.broker.log.batch import CODEC_MASK, HEADER_SIZE, InvalidBatchError, check_batch, read_header
from millstream.broker.log.blob import FileFolder, Folder, MemoryFolder
from millstream.broker.log.partition import LogSettings, PartitionLog, RefusedError
from millstream.broker.log.records import keyed_records
from tests.broker.batches import batch

NOW = 5_000


def open_log(folder: Folder, config: LogSettings | None = None, start: int = 0) -> PartitionLog:
    return PartitionLog("t-0", folder, config or LogSettings(), start)


def values(log: PartitionLog, offset: int = 0) -> list[tuple[int, int]]:
    """(base offset, record count) of every batch from `offset` on, read in small pieces."""
    found = []
    while offset < log.end_offset:
        raw = log.read(offset, 200, at_least_one=True)
        position = 0
        while position < len(raw):
            header = read_header(raw, position)
            found.append((header.base_offset, header.record_count))
            offset = header.next_offset
            position += header.size
        assert position == len(raw), "reads end with a whole batch"
    return found


@pytest.fixture(params=["file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return FileFolder(tmp_path / "t-0") if request.param == "file" else MemoryFolder()


def test_offsets_go_on(folder: Folder) -> None:
    log = open_log(folder)
    assert log.append(batch([(1, b"a", b"b"), (2, b"c", b"d")]), NOW).base_offset == 0
    assert log.append(batch(), NOW).base_offset == 2
    assert values(log) == [(0, 2), (2, 1)]
    assert read_header(log.read(1, 1, at_least_one=True)).base_offset == 0
    log.close()


def test_only_base_offset_and_leader_epoch_are_patched(folder: Folder) -> None:
    log = open_log(folder)
    sent = batch()
    log.append(sent, NOW)
    log.append(sent, NOW)
    stored = log.read(1, 10_000, at_least_one=True)
    assert read_header(stored).base_offset == 1
    assert read_header(stored).leader_epoch == 0
    assert stored[8:12] + stored[16:] == sent[8:12] + sent[16:]
    log.close()


def test_segments_roll_and_are_read_across(folder: Folder) -> None:
    log = open_log(folder, LogSettings(segment_bytes=300))
    for _ in range(20):
        log.append(batch(), NOW)
    assert len(folder.bases()) > 4
    assert values(log) == [(offset, 1) for offset in range(20)]
    log.delete_before(10)
    assert log.start_offset == 10
    assert folder.bases()[0] > 0
    assert values(log, 10) == [(offset, 1) for offset in range(10, 20)]
    log.close()


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    folder = FileFolder(tmp_path)
    log = open_log(folder, LogSettings(segment_bytes=300))
    for sequence in range(10):
        log.append(batch(producer_id=7, epoch=0, sequence=sequence), NOW)
    log.close()
    again = open_log(folder, LogSettings(segment_bytes=300))
    assert values(again) == [(offset, 1) for offset in range(10)]
    assert again.append(batch(producer_id=7, epoch=0, sequence=9), NOW).base_offset == 9
    assert again.append(batch(producer_id=7, epoch=0, sequence=10), NOW).base_offset == 10
    again.close()


def test_an_emptied_log_keeps_its_offsets(tmp_path: Path) -> None:
    folder = FileFolder(tmp_path)
    log = open_log(folder, start=40)
    assert (log.start_offset, log.end_offset) == (40, 40)
    assert log.append(batch(), NOW).base_offset == 40
    log.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8), torn=st.booleans(), data=st.data())
def test_a_torn_or_damaged_file_keeps_every_batch_before_the_damage(
    tmp_path: Path, sizes: list[int], torn: bool, data: st.DataObject
) -> None:
    file = tmp_path / f"{0:020d}.log"
    file.unlink(missing_ok=True)
    folder = FileFolder(tmp_path)
    log = open_log(folder)
    ends = []
    for size in sizes:
        log.append(batch([(1, b"k", bytes(size))]), NOW)
        ends.append(log.size)
    log.close()
    where = data.draw(st.integers(0, ends[-1] - 1))
    raw = bytearray(file.read_bytes())
    if torn:
        del raw[where:]
    else:
        begin = max([0, *[end for end in ends if end <= where]])
        assume(not 12 <= where - begin < 16)  # the leader epoch is outside the checksum and says nothing here
        raw[where] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(raw)
    intact = sum(end <= where for end in ends)
    again = open_log(folder)
    assert values(again) == [(offset, 1) for offset in range(intact)]
    assert again.append(batch(), NOW).base_offset == intact
    again.close()


def test_segments_after_a_damaged_one_are_removed(tmp_path: Path) -> None:
    folder = FileFolder(tmp_path)
    log = open_log(folder, LogSettings(segment_bytes=150))
    for _ in range(6):
        log.append(batch(), NOW)
    log.close()
    second = tmp_path / f"{folder.bases()[1]:020d}.log"
    raw = bytearray(second.read_bytes())
    raw[-1] ^= 1
    second.write_bytes(raw)
    again = open_log(folder, LogSettings(segment_bytes=150))
    assert again.end_offset == len(values(again))
    assert again.end_offset < 6
    assert len(folder.bases()) == 2
    again.close()


def test_timestamps_are_found_exactly(folder: Folder) -> None:
    log = open_log(folder, LogSettings(segment_bytes=4000))
    stamps = [1000 + 7 * index for index in range(600)]
    for start in range(0, 600, 3):
        log.append(batch([(stamp, b"k", b"v" * 20) for stamp in stamps[start : start + 3]], codec=start % 5), NOW)
    for index, stamp in enumerate(stamps):
        assert log.find_timestamp(stamp) == (index, stamp)
        assert log.find_timestamp(stamp - 3) == (index, stamp)
    assert log.find_timestamp(stamps[-1] + 1) is None
    assert log.latest_timestamp() == (599, stamps[-1])
    log.delete_before(100)
    assert log.find_timestamp(0) == (100, stamps[100])
    log.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=4), min_size=1, max_size=40), st.integers(0, 51))
def test_timestamps_out_of_order_give_the_first_record_in_the_log(groups: list[list[int]], wanted: int) -> None:
    log = open_log(MemoryFolder())
    for group in groups:
        log.append(batch([(stamp, b"k", b"v" * 200) for stamp in group]), NOW)
    flat = [stamp for group in groups for stamp in group]
    expected = next(((offset, stamp) for offset, stamp in enumerate(flat) if stamp >= wanted), None)
    assert log.find_timestamp(wanted) == expected


def test_append_time_stamps_the_batch(folder: Folder) -> None:
    log = open_log(folder, LogSettings(append_time=True))
    appended = log.append(batch([(1, b"a", b"b"), (9, b"c", b"d")]), NOW)
    assert appended.append_time_ms == NOW
    raw = log.read(0, 1000, at_least_one=True)
    assert read_header(raw).max_timestamp == NOW
    assert log.find_timestamp(NOW) == (0, NOW)
    log.close()
    if isinstance(folder, FileFolder):
        again = open_log(folder)
        assert again.end_offset == 2, "the checksum was renewed"
        again.close()


@pytest.mark.parametrize(
    ("config", "records", "code"),
    [
        (LogSettings(max_message_bytes=69), batch(), ErrorCode.message_too_large),
        (LogSettings(segment_bytes=69), batch(), ErrorCode.record_list_too_large),
        (LogSettings(compacted=True), batch([(1, b"k", b"v"), (1, None, b"v")]), ErrorCode.invalid_record),
        (LogSettings(compacted=True), batch([(1, None, b"v")], codec=4), ErrorCode.invalid_record),
        (LogSettings(timestamp_after_max_ms=10), batch([(NOW + 11, b"", b"")]), ErrorCode.invalid_timestamp),
        (LogSettings(timestamp_before_max_ms=10), batch([(NOW - 11, b"", b"")]), ErrorCode.invalid_timestamp),
        (LogSettings(), batch(attributes=0x10, producer_id=1, epoch=0, sequence=0), ErrorCode.invalid_txn_state),
    ],
)
def test_what_kafka_refuses_is_refused(config: LogSettings, records: bytes, code: ErrorCode) -> None:
    log = open_log(MemoryFolder(), config)
    with pytest.raises(RefusedError) as refused:
        log.append(records, NOW)
    assert refused.value.code is code
    assert log.end_offset == 0


def test_keys_are_enough_for_compacted_topics() -> None:
    log = open_log(MemoryFolder(), LogSettings(compacted=True))
    for codec in range(5):
        log.append(batch([(1, b"k", b"v"), (1, b"", b"")], codec=codec), NOW)
    assert log.end_offset == 10


def _flipped(raw: bytes, position: int) -> bytes:
    return raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]


@pytest.mark.parametrize(
    ("records", "corrupt"),
    [
        (b"", True),
        (batch()[: HEADER_SIZE - 1], True),
        (batch() + b"x", False),
        (batch() + batch(), False),
        (_flipped(batch(), 16), False),
        (_flipped(batch(), 65), True),
        (batch(attributes=0x20), False),
        (batch(producer_id=3), False),
    ],
)
def test_what_is_no_single_sound_batch_is_refused(records: bytes, corrupt: bool) -> None:
    log = open_log(MemoryFolder())
    with pytest.raises(InvalidBatchError) as refused:
        log.append(records, NOW)
    assert refused.value.corrupt is corrupt
    assert log.end_offset == 0


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(FileFolder(tmp_path))
    log.append(batch(producer_id=7, epoch=0, sequence=0), NOW)
    with monkeypatch.context() as patched:
        patched.setattr("millstream.broker.log.blob.os.pwritev", _disk_full)
        with pytest.raises(OSError, match="No space"):
            log.append(batch(producer_id=7, epoch=0, sequence=1), NOW)
    assert log.end_offset == 1
    assert log.append(batch(producer_id=7, epoch=0, sequence=1), NOW).base_offset == 1
    log.close()


def test_what_follows_a_first_batch_that_was_not_written_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the producer would take the first one for written: acknowledged is what comes before what is."""
    log = open_log(FileFolder(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr("millstream.broker.log.blob.os.pwritev", _disk_full)
        with pytest.raises(OSError, match="No space"):
            log.append(batch(producer_id=7, epoch=0, sequence=0), NOW)
    with pytest.raises(RefusedError) as refused:
        log.append(batch(producer_id=7, epoch=0, sequence=1), NOW)
    assert refused.value.code is ErrorCode.out_of_order_sequence_number
    assert [log.append(batch(producer_id=7, epoch=0, sequence=n), NOW).base_offset for n in (0, 1)] == [0, 1]
    log.close()


def _disk_full(*_: object) -> int:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("sent", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("kept", [None, 0, 1, 2, 3, 4])
@pytest.mark.parametrize("append_time", [False, True])
def test_a_topic_with_a_compression_of_its_own_compresses_again(sent: int, kept: int | None, append_time: bool) -> None:
    log = open_log(MemoryFolder(), LogSettings(codec=kept, append_time=append_time))
    records = [(5, b"a", b"x" * 500), (7, None, b"y" * 500)]
    original = batch(records, codec=sent, attributes=0x10, producer_id=7, epoch=0, sequence=3)
    log.append(original, NOW, lambda _header: None)
    stored = log.read(0, 100_000, at_least_one=True)
    header = check_batch(stored)
    assert header.attributes & CODEC_MASK == (sent if kept is None else kept)
    assert header.transactional
    assert (header.producer_id, header.base_sequence, header.record_count) == (7, 3, 2)
    if kept is None and not append_time:
        assert stored[16:] == original[16:], "its bytes are the producer's"
    found = [(each.offset, each.key) for each in keyed_records(header, memoryview(stored))]
    assert found == [(0, b"a"), (1, None)]
    again = log.append(original, NOW, lambda _header: None)
    assert again.base_offset == 0, "a repeat is known by its sequence"
    log.close()
