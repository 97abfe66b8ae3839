"""Key-value stores over a disk: the same answers as in memory, whatever is evicted, written or reopened (F1, P9)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import INT64, STRING
from millstream.state import Changes, KeyValueRows, KeyValueStore
from tests.state.disks import MemoryDisk

LOG = TopicPartition("app-s-changelog", 0)
KEYS = st.sampled_from(["", "a", "aa", "ab", "b", "c"])


def settled(rows: KeyValueRows, disk: MemoryDisk, changes: Changes) -> None:
    rows.write(changes, disk)
    rows.written()


def as_batch(changes: Changes) -> Batch:
    size = len(changes)
    return Batch(LOG, range(size), changes.timestamps, changes.keys, changes.values, None, size)


class Both:
    """The same store in memory and on disk; what one answers the other must."""

    def __init__(self) -> None:
        self.now = 0
        self.disk = MemoryDisk()
        self.log: list[Changes] = []
        self.memory = KeyValueRows("s", STRING, INT64)
        self.stored = KeyValueRows("s", STRING, INT64, self.disk)

    def put(self, key: str, value: int) -> None:
        self.now += 1
        for rows in (self.memory, self.stored):
            rows.put(key, value, self.now)

    def delete(self, key: str, _value: int) -> None:
        self.now += 1
        for rows in (self.memory, self.stored):
            rows.delete(key, self.now)

    def change(self, key: str, value: int) -> None:
        """As an aggregate does it, in place."""
        self.now += 1
        for rows in (self.memory, self.stored):
            row = rows.get(key)
            if row is not None:
                row[0], row[1] = value, self.now
                rows.touch(key, self.now)

    def look(self, key: str, _value: int) -> None:
        assert self.stored.get(key) == self.memory.get(key)

    def evict(self, _key: str, value: int) -> None:
        for _ in range(value):
            self.stored.evict()

    def take(self, _key: str, _value: int) -> None:
        """The changelog has it, the disk does not."""
        changes = self.stored.take_changes()
        assert changes == self.memory.take_changes()
        self.log.append(changes)

    def settle(self, _key: str, _value: int) -> None:
        self.take("", 0)
        for changes in self.log:
            self.stored.write(changes, self.disk)
        self.log.clear()
        self.stored.written()

    def reopen(self, _key: str, _value: int) -> None:
        self.settle("", 0)
        self.stored = KeyValueRows("s", STRING, INT64, self.disk)

    def walk(self, key: str, value: int) -> None:
        first, end = (b"", None) if value == 0 else (key.encode(), b"b")
        for reverse in (False, True):
            expected = list(self.memory.scan(first, end, reverse=reverse))
            assert list(self.stored.scan(first, end, reverse=reverse)) == expected
            assert [data for data, _, _ in expected] == sorted((data for data, _, _ in expected), reverse=reverse)


OPERATIONS = ["put", "put", "put", "delete", "change", "look", "evict", "take", "settle", "reopen", "walk"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), KEYS, st.integers(0, 2)), max_size=40))
def test_on_disk_as_in_memory(operations: list[tuple[str, str, int]]) -> None:
    both = Both()
    for name, key, value in operations:
        getattr(both, name)(key, value)
    both.walk("", 0)
    both.reopen("", 0)
    both.walk("", 0)


def test_a_row_lies_behind_its_timestamp_and_a_delete_leaves_nothing() -> None:  # F1
    disk = MemoryDisk()
    rows = KeyValueRows("s", STRING, INT64, disk)
    rows.put("a", 1, 5)
    rows.put("b", 2, 6)
    rows.delete("b", 7)
    settled(rows, disk, rows.take_changes())
    assert disk.rows == {b"a": (5).to_bytes(8, "big") + (1).to_bytes(8, "big")}


def test_restored_bytes_are_those_that_were_written() -> None:
    disk, restored = MemoryDisk(), MemoryDisk()
    rows = KeyValueRows("s", STRING, INT64, disk)
    rows.put("a", 1, 5)
    rows.put("b", 2, 6)
    changes = rows.take_changes()
    settled(rows, disk, changes)
    KeyValueRows("s", STRING, INT64, restored).write(as_batch(changes), restored)
    assert restored.rows == disk.rows


def test_a_known_row_or_a_known_gap_is_not_read_again() -> None:
    disk = MemoryDisk()
    rows = KeyValueRows("s", STRING, INT64, disk)
    for _ in range(3):
        assert rows.get("a") is None
    rows.put("b", 1, 1)
    rows.delete("c", 1)
    assert (rows.get("b"), rows.get("c")) == ([1, 1], None)
    assert disk.reads == 1


def test_what_is_not_on_disk_is_never_evicted() -> None:
    disk = MemoryDisk()
    rows = KeyValueRows("s", STRING, INT64, disk)
    rows.put("a", 1, 1)
    changes = rows.take_changes()
    rows.put("b", 2, 2)
    for _ in range(3):
        rows.evict()
    assert (rows.get("a"), rows.get("b"), disk.reads) == ([1, 1], [2, 2], 0)
    settled(rows, disk, changes)
    for _ in range(2):
        rows.evict()
    assert rows.get("a") == [1, 1]
    assert disk.reads == 1


def test_a_store_on_disk_may_be_written_while_it_is_walked() -> None:
    disk = MemoryDisk()
    rows = KeyValueRows("s", STRING, INT64, disk)
    kept = KeyValueStore[str, int](rows)
    for key in "ab":
        kept.put(key, 1)
    settled(rows, disk, rows.take_changes())
    kept.put("c", 1)
    for key, _ in kept.all():
        kept.delete(key)
        kept.put(key + "x", 2)
    assert [key for key, _ in kept.all()] == ["ax", "bx", "cx"]
