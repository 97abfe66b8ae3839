"""Window stores over a disk: the same answers as in memory, whatever is evicted, written or reopened (F2, W20)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import INT64, STRING
from millstream.state import Changes, KeyWindowRows, StoredWindowRows, WindowRows
from tests.state.disks import MemoryDisk

LOG = TopicPartition("app-w-changelog", 0)
SERDES = (STRING, INT64)
SIZE, RETENTION = 10, 40
KEYS = ["", "a", "aa", "a\0\0\0\0\0\0\0\0", "b"]


def as_batch(changes: Changes) -> Batch:
    size = len(changes)
    return Batch(LOG, range(size), changes.timestamps, changes.keys, changes.values, None, size)


def in_memory(*, by_key: bool = False) -> WindowRows:
    return WindowRows("w", SERDES, SIZE, RETENTION, by_key=by_key)


def on_disk(disk: MemoryDisk, *, by_key: bool) -> StoredWindowRows | KeyWindowRows:
    made = KeyWindowRows if by_key else StoredWindowRows
    rows = made("w", SERDES, SIZE, RETENTION, disk=disk)
    rows.opened()
    return rows


class Both:
    """The same store in memory and on disk; what one answers the other must."""

    def __init__(self, *, by_key: bool) -> None:
        self.by_key = by_key
        self.now = 0
        self.disk = MemoryDisk()
        self.log: list[Changes] = []
        self.taken: list[Changes] = []
        self.memory = in_memory(by_key=by_key)
        self.stored = on_disk(self.disk, by_key=by_key)

    def put(self, key: str, start: int) -> None:
        self.now += 1
        for rows in (self.memory, self.stored):
            rows.put(key, start, self.now, self.now)

    def delete(self, key: str, start: int) -> None:
        self.now += 1
        for rows in (self.memory, self.stored):
            rows.put(key, start, None, self.now)

    def fold(self, key: str, start: int) -> None:
        """As an aggregation does it, in a segment's rows."""
        if self.by_key:
            self.put(key, start)
            return
        self.now += 1
        for rows in (self.memory, self.stored):
            segment = rows.segment(start)
            row = segment.get(key)
            if row is None:
                row = segment.rows[key] = [1, self.now, key, segment.window, None]
            elif row[0] % 4 == 3:
                row[0], row[1] = None, self.now
                segment.remove(key)
            else:
                row[0], row[1] = row[0] + 1, self.now
            segment.dirty[key] = row

    def look(self, key: str, start: int) -> None:
        assert shown(self.stored.find(key, start)) == shown(self.memory.find(key, start))
        wanted = min((moment for moment, _, _ in self.memory.all() if moment > start), default=None)
        found = self.stored.next_start(start)  # a moment whose windows were all deleted may be told too
        assert wanted is None or (found is not None and start < found <= wanted)
        if self.by_key:
            assert self.stored.starts_of(key, start - 15, start) == self.memory.starts_of(key, start - 15, start)

    def evict(self, _key: str, start: int) -> None:
        for _ in range(start % 3):
            self.stored.evict()

    def take(self, _key: str, _start: int) -> None:
        """The changelog has it, the disk does not."""
        changes = self.stored.take_changes()
        assert as_rows(changes) == as_rows(self.memory.take_changes())
        self.log.append(changes)
        self.taken.append(changes)

    def settle(self, key: str, start: int) -> None:
        self.take(key, start)
        for changes in self.taken:
            self.stored.write(changes, self.disk)
        self.taken.clear()
        self.stored.written()

    def reopen(self, key: str, start: int) -> None:
        self.settle(key, start)
        self.stored = on_disk(self.disk, by_key=self.by_key)

    def restore(self, key: str, start: int) -> None:
        self.settle(key, start)
        self.disk = MemoryDisk()
        into = on_disk(self.disk, by_key=self.by_key)
        for changes in self.log:
            into.write(as_batch(changes), self.disk)
        into.opened()
        self.stored = into

    def walk(self, _key: str, _start: int) -> None:
        stored = [(start, key, row[:2]) for start, key, row in self.stored.all()]
        assert stored == [(start, key, row[:2]) for start, key, row in self.memory.all()]
        assert stored == sorted(stored, key=lambda item: (item[0], item[1].encode()))
        assert {start for start, _, _ in stored} <= set(self.stored.starts())


def shown(row: list | None) -> list | None:
    return None if row is None else row[:2]


def as_rows(changes: Changes) -> list[tuple]:
    return sorted(zip(changes.keys, changes.values, changes.timestamps, strict=True))


OPERATIONS = ["put", "put", "fold", "fold", "fold", "delete", "look", "look", "evict", "take", "settle"]
WHOLE = ["reopen", "restore", "walk"]


@settings(max_examples=200, deadline=None)
@given(
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(OPERATIONS + WHOLE), st.sampled_from(KEYS), st.integers(-20, 12)), max_size=60),
)
def test_on_disk_as_in_memory(by_key: bool, operations: list[tuple[str, str, int]]) -> None:
    both, time = Both(by_key=by_key), 30
    for name, key, step in operations:
        time = max(time, time + step)
        getattr(both, name)(key, max(time + min(step, 0), 0) // 2 * 2)
    both.walk("", 0)
    both.restore("", 0)
    both.walk("", 0)


@pytest.mark.parametrize("by_key", [False, True])
def test_what_is_forgotten_leaves_memory_and_disk(by_key: bool) -> None:
    disk = MemoryDisk()
    rows = on_disk(disk, by_key=by_key)
    sizes, cached = [], []
    for start in range(0, 2_000, 5):
        for key in KEYS:
            rows.put(key, start, 1, start)
        rows.write(rows.take_changes(), disk)
        rows.written()
        sizes.append(len(disk.rows))
        cached.append(rows.cached_bytes)
    assert max(sizes) == max(sizes[:30])
    assert max(cached) <= 1.1 * max(cached[:30])


def test_a_window_that_opens_is_not_looked_for_on_disk() -> None:
    disk = MemoryDisk()
    rows = on_disk(disk, by_key=False)
    assert isinstance(rows, StoredWindowRows)
    for key in KEYS:
        assert rows.segment(0).get(key) is None
        rows.put(key, 0, 1, 1)
    assert disk.reads == 0
    rows.write(rows.take_changes(), disk)
    rows.written()
    rows.evict()
    assert (rows.segment(0).get("x"), disk.reads) == (None, 0)  # all of it is still in memory
    rows.evict()
    assert rows.segment(0).get("x") is None
    assert disk.reads == 1


def test_keys_of_a_window_lie_together_on_disk() -> None:  # F2
    disk = MemoryDisk()
    rows = on_disk(disk, by_key=False)
    rows.put("a", 16, 7, 20)
    rows.write(rows.take_changes(), disk)
    assert disk.rows == {bytes.fromhex("0000000000000010 61"): bytes.fromhex("0000000000000014 0000000000000007")}
