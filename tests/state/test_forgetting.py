"""What stores forget leaves the disk: RocksDB's files stay bounded while time goes on (W20, F2-F4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from millstream.serde import STRING, Window
from millstream.state import KeyWindowRows, SessionRows, StoredJoinRows, StoredSessionRows, StoredWindowRows, WindowRows
from millstream.state.rocksdb import RocksDisk, RocksMemory, RocksTaskDisk

RETENTION, VALUE = 1_000, "v" * 400
Put = Callable[[str, int], object]


def windows(disk: RocksDisk) -> tuple[StoredWindowRows, Put]:
    rows = StoredWindowRows("s", (STRING, STRING), 100, RETENTION, disk=disk)
    return rows, lambda key, time: WindowRows.put(rows, key, time // 100 * 100, VALUE, time)


def windows_by_key(disk: RocksDisk) -> tuple[KeyWindowRows, Put]:
    rows = KeyWindowRows("s", (STRING, STRING), 100, RETENTION, disk=disk)
    return rows, lambda key, time: rows.put(key, time, VALUE, time)


def sessions(disk: RocksDisk) -> tuple[StoredSessionRows, Put]:
    rows = StoredSessionRows("s", (STRING, STRING), RETENTION, disk=disk)
    return rows, lambda key, time: SessionRows.put(rows, key, Window(time, time), VALUE, time, [])


def join_rows(disk: RocksDisk) -> tuple[StoredJoinRows, Put]:
    rows = StoredJoinRows("s", (STRING, STRING), RETENTION, disk=disk)
    return rows, lambda key, time: rows.put(key, VALUE, time)


def size_of(folder: Path) -> int:
    """Of RocksDB's files; it may delete some of them meanwhile."""
    total = 0
    for path in folder.glob("*.sst"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


@pytest.mark.parametrize("made", [windows, windows_by_key, sessions, join_rows])
def test_files_and_rows_are_bounded(made: Callable[..., tuple], tmp_path: Path) -> None:
    disk = RocksTaskDisk(tmp_path / "task", ["s"], RocksMemory(1_000_000))
    rows, put = made(disk.store("s"))
    rows.opened()
    held, sizes = [], []
    for time in range(0, 20_000, 100):
        for number in range(100):
            put(f"k{number * 7919 % 1000}", time + number)
        batch = disk.batch()
        rows.write(rows.take_changes(), batch.store("s"))
        disk.write(batch)
        rows.written()
        held.append(sum(1 for _ in disk.store("s").scan(b"", None)))
        sizes.append(size_of(tmp_path / "task"))
    quarter = len(held) // 4
    assert max(held) == max(held[:quarter])  # rows
    assert max(sizes[quarter:]) < 2 * max(sizes[:quarter])  # bytes, of five times as much that was written
    disk.close()
