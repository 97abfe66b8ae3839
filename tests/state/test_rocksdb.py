"""RocksDB as a task's disk: order, ranges, one atomic write, what is there after closing."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.errors import StateError
from millstream.state.rocksdb import RocksMemory, RocksTaskDisk


@pytest.fixture
def memory() -> RocksMemory:
    return RocksMemory(2_000_000)


def filled(folder: Path, memory: RocksMemory) -> RocksTaskDisk:
    disk = RocksTaskDisk(folder, ["a", "b"], memory)
    batch = disk.batch()
    for number in range(10):
        batch.store("a").put(b"%d" % number, b"v%d" % number)
    batch.store("a").delete(b"3")
    batch.store("a").delete_range(b"5", b"7")
    batch.store("a").note(b"noted")
    batch.offset("a", 10)
    disk.write(batch)
    return disk


def test_scans_are_in_order_and_leave_out_their_end(tmp_path: Path, memory: RocksMemory) -> None:
    disk = filled(tmp_path, memory)
    rows = disk.store("a")
    assert [key for key, _ in rows.scan(b"", None)] == [b"0", b"1", b"2", b"4", b"7", b"8", b"9"]
    assert list(rows.scan(b"2", b"8")) == [(b"2", b"v2"), (b"4", b"v4"), (b"7", b"v7")]
    assert [key for key, _ in rows.scan(b"2", b"8", reverse=True)] == [b"7", b"4", b"2"]
    assert [key for key, _ in rows.scan(b"8", None, reverse=True)] == [b"9", b"8"]
    assert list(disk.store("b").scan(b"", None)) == []
    disk.close()


def test_a_scan_ends_where_it_should_however_long_it_takes(tmp_path: Path, memory: RocksMemory) -> None:
    """The bound is memory of an object that has to live as long as the scan."""
    disk = RocksTaskDisk(tmp_path, ["a"], memory)
    batch = disk.batch()
    for number in range(500):
        batch.store("a").put(b"k\0" + number.to_bytes(8, "big"), b"v")
    disk.write(batch)
    del batch
    rows = disk.store("a")
    ends = [b"k\0" + bytes([128]) * (turn % 40 + 1) for turn in range(300)]
    assert [len(list(rows.scan(b"k\0", end))) for end in ends] == [500] * 300
    assert [len(list(rows.scan(b"k\0", b"k\0" + bytes([128, turn % 256])))) for turn in range(300)] == [500] * 300
    assert [len(list(rows.scan(b"k\0", end, reverse=True))) for end in ends] == [500] * 300
    disk.close()


def test_a_scan_sees_what_was_there_when_it_began(tmp_path: Path, memory: RocksMemory) -> None:
    disk = filled(tmp_path, memory)
    scan = disk.store("a").scan(b"8", None)
    assert next(scan)[0] == b"8"
    batch = disk.batch()
    batch.store("a").delete(b"9")
    disk.write(batch)
    assert next(scan) == (b"9", b"v9")
    disk.close()


def test_rows_notes_and_offsets_are_there_again(tmp_path: Path, memory: RocksMemory) -> None:
    disk = filled(tmp_path, memory)
    open_scan = disk.store("a").scan(b"", None)
    next(open_scan)
    disk.close()  # also with a scan under way
    other = RocksTaskDisk(tmp_path, ["b", "new"], memory)  # another plan: "a" stays as it is
    assert dict(other.offsets()) == {}
    assert other.store("new").note() is None
    other.close()
    again = RocksTaskDisk(tmp_path, ["a"], memory)
    assert dict(again.offsets()) == {"a": 10}
    assert again.store("a").note() == b"noted"
    assert again.store("a").get(b"4") == b"v4"
    assert again.store("a").get(b"5") is None
    again.close()


def test_a_folder_that_is_open_or_broken_says_so(tmp_path: Path, memory: RocksMemory) -> None:
    disk = filled(tmp_path, memory)
    with pytest.raises(StateError, match="cannot be opened"):
        RocksTaskDisk(tmp_path, ["a"], memory)
    disk.close()
    (tmp_path / "CURRENT").write_text("nothing\n")
    with pytest.raises(StateError, match="cannot be opened"):
        RocksTaskDisk(tmp_path, ["a"], memory)
