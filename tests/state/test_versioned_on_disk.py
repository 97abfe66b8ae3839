"""Versioned stores over a disk: the same answers as in memory; a row for each version (K15, K16)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.serde import STRING
from millstream.state import VersionedRows
from tests.state.disks import MemoryDisk

HISTORY = 50
KEYS = ("", "a", "a\0", "a\0b", "ab", "b")  # also such as could be taken for a part of one another
OPERATIONS = ("put", "put", "put", "delete", "evict", "take", "settle", "reopen", "walk")


def opened(disk: MemoryDisk | None = None) -> VersionedRows:
    return VersionedRows("prices", (STRING, STRING), HISTORY, disk)


class Both:
    """The same store in memory and on disk."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()
        self.memory, self.stored = opened(), opened(self.disk)
        self.taken = []

    def put(self, key: str, timestamp: int) -> None:
        value = f"v{timestamp}"
        assert self.stored.put(key, value, timestamp) == self.memory.put(key, value, timestamp)

    def delete(self, key: str, timestamp: int) -> None:
        assert self.stored.delete(key, timestamp) == self.memory.delete(key, timestamp)

    def evict(self, _key: str, _timestamp: int) -> None:
        self.stored.evict()
        self.stored.evict()

    def take(self, _key: str, _timestamp: int) -> None:
        self.taken.append(self.stored.take_changes())
        assert self.taken[-1] == self.memory.take_changes()

    def settle(self, key: str, timestamp: int) -> None:
        self.take(key, timestamp)
        for changes in self.taken:
            self.stored.write(changes, self.disk)
        self.taken.clear()
        self.stored.written()

    def reopen(self, key: str, timestamp: int) -> None:
        self.settle(key, timestamp)
        self.stored = opened(self.disk)
        self.stored.opened()

    def walk(self, key: str, timestamp: int) -> None:
        for first, end in ((b"", None), (key.encode(), None), (b"", key.encode() + b"\0")):
            for reverse in (False, True):
                expected = list(self.memory.scan(first, end, reverse=reverse))
                assert list(self.stored.scan(first, end, reverse=reverse)) == expected
        for each in KEYS:
            assert self.stored.get(each) == self.memory.get(each)
            assert self.stored.at(each, timestamp) == self.memory.at(each, timestamp)
            assert self.stored.versions(each) == self.memory.versions(each)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(KEYS), st.integers(0, 150)), max_size=30))
def test_on_disk_as_in_memory(operations: list[tuple[str, str, int]]) -> None:
    both = Both()
    for name, key, timestamp in operations:
        getattr(both, name)(key, timestamp)
    both.walk("a", 75)
    both.reopen("", 0)
    both.walk("a", 75)


def test_a_version_is_a_row_and_forgotten_ones_are_deleted() -> None:
    disk = MemoryDisk()
    rows = opened(disk)
    rows.put("a", "x", 10)
    rows.delete("a", 20)
    rows.write(rows.take_changes(), disk)
    assert disk.rows == {
        b"a\0" + (10).to_bytes(8, "big"): b"\x01x",
        b"a\0" + (20).to_bytes(8, "big"): b"\x00",
    }
    rows.put("a", "y", 100)
    rows.write(rows.take_changes(), disk)
    assert [key[-1] for key in disk.rows] == [20, 100]


def test_what_is_too_old_after_a_restart_is_what_was_before() -> None:  # K15
    disk = MemoryDisk()
    rows = opened(disk)
    rows.put("a", "x", 100)
    rows.write(rows.take_changes(), disk)
    again = opened(disk)
    again.opened()
    assert again.put("b", "y", 49) is None
    assert again.put("b", "y", 50) is True
