"""What a start takes over from a log's notes is what reading the log gives; and what it does not take over."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.broker.durability import Durability, Fsync, same_boot, sync_handles
from millstream.broker.log.batch import read_header
from millstream.broker.log.blob import FileBlob, FileFolder
from millstream.broker.log.compaction import compact, due
from millstream.broker.log.partition import CompactionRules, LogSettings, PartitionLog
from millstream.broker.log.segment import DamagedError, Segment
from tests.broker.batches import batch

NOW = 5_000
SMALL = LogSettings(segment_bytes=3 * len(batch()))
COMPACTED = LogSettings(segment_bytes=3 * len(batch()), compacted=True, compaction=CompactionRules(dirty_ratio=0.0))
TRANSACTIONAL = 0x10


def open_log(path: Path, config: LogSettings = SMALL, *, trusted: bool = True) -> PartitionLog:
    return PartitionLog("t-0", FileFolder(path), config, trusted=trusted)


def headers(log: PartitionLog) -> list[tuple[int, int]]:
    """(base offset, record count) of every batch."""
    found, offset = [], log.start_offset
    while offset < log.end_offset:
        header = read_header(log.read(offset, 1, at_least_one=True))
        found.append((header.base_offset, header.record_count))
        offset = header.next_offset
    return found


def known(log: PartitionLog) -> dict[str, Any]:
    """All that a log knows."""
    return {
        "span": (log.start_offset, log.end_offset, log.stable_offset),
        "batches": headers(log),
        "producers": {key: (each.epoch, [*each.batches]) for key, each in log.producers.items()},
        "open": log.transactions.open(),
        "aborted": log.transactions.aborted(0, 2**62),
        "times": log.latest_timestamp(),
    }


def filled(path: Path, count: int = 10, config: LogSettings = SMALL) -> PartitionLog:
    log = open_log(path, config)
    for number in range(count):
        log.append(batch([(number, b"k", b"v")], producer_id=7, epoch=0, sequence=number), NOW)
    return log


def test_after_a_clean_stop_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = filled(tmp_path)
    before = known(log)
    log.close()
    with monkeypatch.context() as patched:
        patched.setattr(Segment, "recover", lambda *_: pytest.fail("a segment was read"))
        again = open_log(tmp_path)
    assert known(again) == before
    assert again.append(batch(producer_id=7, epoch=0, sequence=9), NOW).base_offset == 9, "a repeat is known"
    assert again.append(batch(producer_id=7, epoch=0, sequence=10), NOW).base_offset == 10
    again.close()


def test_after_a_crash_only_the_last_segment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashed = filled(tmp_path)
    before = known(crashed)
    read: list[int] = []
    recover = Segment.recover

    def counted(segment: Segment, *rest: object) -> int:
        read.append(segment.base_offset)
        return recover(segment, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Segment, "recover", counted)
    again = open_log(tmp_path)
    assert read == [crashed._segments[-1].base_offset]
    assert known(again) == before
    again.close()
    crashed.close()


def test_without_trust_notes_say_nothing(tmp_path: Path) -> None:
    log = filled(tmp_path)
    before = known(log)
    log.close()
    again = open_log(tmp_path, trusted=False)
    assert not again.unverified()
    assert known(again) == before
    again.close()


@pytest.mark.parametrize("pattern", ["*.index", "*.writers", "00000000000000000003.index"])
@pytest.mark.parametrize("how", ["gone", "torn", "flipped"])
def test_a_note_that_is_missing_or_damaged_is_made_up_for_by_reading(tmp_path: Path, pattern: str, how: str) -> None:
    log = filled(tmp_path)
    before = known(log)
    log.close()
    notes = list(tmp_path.glob(pattern))
    assert notes
    for note in notes:
        raw = bytearray(note.read_bytes())
        if how == "gone":
            note.unlink()
        elif how == "torn":
            note.write_bytes(raw[:-3])
        else:
            raw[len(raw) // 2] ^= 4
            note.write_bytes(raw)
    again = open_log(tmp_path)
    assert known(again) == before
    again.close()


def damage(path: Path, base_offset: int, at: int) -> None:
    file = path / f"{base_offset:020d}.log"
    raw = bytearray(file.read_bytes())
    raw[at] ^= 1
    file.write_bytes(raw)


@pytest.mark.parametrize("at", [0, 3, 8, 16, 20, 30, 57, 60, 65])
def test_damage_in_a_segment_that_was_taken_over_is_refused_and_the_rest_can_be_read(tmp_path: Path, at: int) -> None:
    """In the second batch of a segment: its base offset, length, magic, checksum, header or body."""
    filled(tmp_path).close()
    damage(tmp_path, 3, len(batch([(3, b"k", b"v")], producer_id=7, epoch=0, sequence=3)) + at)
    log = open_log(tmp_path)
    damaged = next(segment for segment in log.unverified() if segment.base_offset == 3)
    for offset in (0, 2, 3, 6, 9):
        assert read_header(log.read(offset, 1, at_least_one=True)).base_offset == offset
    assert len(log.read(3, 10_000, at_least_one=True)) == read_header(log.read(3, 1, at_least_one=True)).size
    with pytest.raises(DamagedError, match=r"segment 3 is damaged at byte"):
        log.read(4, 1, at_least_one=True)
    with pytest.raises(DamagedError):
        list(damaged.verify())
    assert damaged not in log.unverified(), "nobody looks again"
    with pytest.raises(DamagedError):
        log.read(4, 1, at_least_one=True)
    for segment in log.unverified():
        list(segment.verify())
    assert not log.unverified()
    log.close()


def test_a_damaged_segment_is_not_compacted(tmp_path: Path) -> None:
    filled(tmp_path, config=COMPACTED).close()
    damage(tmp_path, 3, 65)
    log = open_log(tmp_path, COMPACTED)
    assert [segment.base_offset for segment in due(log, NOW)] == []
    list(next(segment for segment in log.unverified() if segment.base_offset == 0).verify())
    assert [segment.base_offset for segment in due(log, NOW)] == [0]
    log.close()


def test_what_follows_damage_is_set_aside_not_deleted(tmp_path: Path) -> None:
    log = filled(tmp_path)
    bases = [segment.base_offset for segment in log._segments]
    log.close()
    damage(tmp_path, bases[1], 65)
    again = open_log(tmp_path, trusted=False)
    assert again.end_offset == bases[1]
    assert sorted(file.name for file in tmp_path.glob("*.damaged")) == [f"{base:020d}.damaged" for base in bases[2:]]
    again.close()


STEPS = st.lists(
    st.sampled_from(["write", "write", "write", "begin", "commit", "abort", "stop", "crash", "delete", "compact"]),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(steps=STEPS, compacted=st.booleans(), data=st.data())
def test_taken_over_is_as_read(steps: list[str], compacted: bool, data: st.DataObject) -> None:
    """After any history with clean stops and crashes, a start from notes knows what a start without them does.

    But for what reading cannot tell: who wrote what was compacted away or deleted since.
    """
    config = COMPACTED if compacted else SMALL
    with tempfile.TemporaryDirectory() as place:
        home = Path(place, "log")
        log = open_log(home, config)
        sequences = [0, 0]
        for step in steps:
            who = data.draw(st.integers(0, 1))
            if step in ("write", "begin"):
                transactional = TRANSACTIONAL if step == "begin" or log.transactions.is_open(who) else 0
                sent = batch(
                    [(1, b"%d" % data.draw(st.integers(0, 3)), b"v")],
                    attributes=transactional,
                    producer_id=who,
                    epoch=0,
                    sequence=sequences[who],
                )
                log.append(sent, NOW, lambda _header: None)
                sequences[who] += 1
            elif step in ("commit", "abort") and log.transactions.is_open(who):
                log.append_marker(who, 0, NOW, commit=step == "commit")
            elif step in ("stop", "crash"):
                before = known(log)
                if step == "stop":
                    log.close()
                else:
                    log._close_files()
                log = PartitionLog("t-0", FileFolder(home), config, log.start_offset, trusted=True)
                assert known(log) == before
            elif step == "delete":
                log.delete_before(data.draw(st.integers(log.start_offset, log.stable_offset)))
            elif step == "compact" and compacted:
                for segment in log.unverified():
                    list(segment.verify())
                list(compact(log, due(log, NOW), NOW))
        taken_over = known(log)
        log._close_files()
        copy = Path(place, "copy")
        shutil.copytree(home, copy)
        read = PartitionLog("t-0", FileFolder(copy), config, log.start_offset, trusted=False)
        found = known(read)
        if compacted or "delete" in steps:
            for what in ("producers", "aborted"):
                del found[what], taken_over[what]
        assert found == taken_over
        read.close()


def test_what_was_taken_over_is_not_damaged_where_there_is_no_room_for_it(tmp_path: Path) -> None:
    """As in a fetch of many partitions, the first of which take all the bytes."""
    filled(tmp_path).close()
    log = open_log(tmp_path)
    assert log.unverified()
    assert log.read(0, len(batch()) - 1, at_least_one=False) == b""
    assert len(log.read(0, len(batch()), at_least_one=False)) == len(batch())
    log.close()


def test_the_machines_start_is_noted(tmp_path: Path) -> None:
    assert not same_boot(tmp_path), "the folder is new"
    assert same_boot(tmp_path)
    (tmp_path / "boot").write_text("another")
    assert not same_boot(tmp_path)
    assert same_boot(tmp_path)


class Disk:
    """Counts syncs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.syncs = 0
        self.fails = False
        monkeypatch.setattr(os, "fdatasync", self.sync)

    def sync(self, _fd: int) -> None:
        if self.fails:
            raise OSError(5, "Input/output error")
        self.syncs += 1


def test_always_syncs_before_an_append_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    log = PartitionLog("t-0", FileFolder(tmp_path, Durability(Fsync(0)).written), SMALL)
    for number in range(1, 6):
        log.append(batch(), NOW)
        assert disk.syncs == number
    disk.fails = True
    with pytest.raises(OSError, match="Input/output"):
        log.append(batch(), NOW)
    assert (log.end_offset, headers(log)[-1]) == (5, (4, 1)), "what could not be synced is not there"
    log.close()


def test_an_interval_syncs_what_was_written_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    durability = Durability(Fsync(500))
    blobs = [FileBlob(tmp_path / name, durability.written) for name in ("a", "b", "c")]
    for blob in (*blobs[:2], *blobs[:2]):
        blob.append([b"x"])
    assert disk.syncs == 0
    sync_handles(durability.take_handles())
    assert disk.syncs == 2
    sync_handles(durability.take_handles())
    assert disk.syncs == 2
    blobs[2].append([b"x"])
    blobs[2].close()
    assert durability.take_handles() == [], "a file that is closed is somebody else's"


def test_by_default_the_system_writes_in_its_own_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    filled(tmp_path).close()
    assert disk.syncs == 0


@pytest.mark.parametrize("written", ["never", "0ms", "5", "1m", ""])
def test_other_policies_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match="fsync is os, always, or an interval"):
        Fsync.parse(written)
