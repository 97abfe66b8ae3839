"""Session stores over a disk: the same sessions as in memory, whatever is evicted, written or reopened (F3, W13)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import STRING, Window
from millstream.state import Changes, SessionRows, StoredSessionRows
from tests.state.disks import MemoryDisk

LOG = TopicPartition("app-s-changelog", 0)
GAP, GRACE = 5, 8
KEYS = ["", "a", "a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "b"]


def as_batch(changes: Changes) -> Batch:
    size = len(changes)
    return Batch(LOG, range(size), changes.timestamps, changes.keys, changes.values, None, size)


def in_memory(retention_ms: int = GAP + GRACE) -> SessionRows:
    return SessionRows("s", (STRING, STRING), retention_ms)


def on_disk(disk: MemoryDisk, retention_ms: int = GAP + GRACE) -> StoredSessionRows:
    return StoredSessionRows("s", (STRING, STRING), retention_ms, disk=disk)


class Sessions:
    """An aggregation's use of a store, and the limits that it gives it where it loses nothing."""

    def __init__(self, rows: SessionRows, *, lossless: bool) -> None:
        self.rows = rows
        self.time = -1
        self.lossless = lossless
        if lossless:
            rows.limits.append(self._limit)

    def _limit(self) -> int:
        return self.time - 2 * GAP - GRACE - 1

    def record(self, key: str, time: int) -> Any:
        """The bounds and values that it found, and what it made of them; nothing if it came too late."""
        self.time = max(self.time, time)
        first = max(time - GAP, self._limit() + 1) if self.lossless else time - GAP
        found = self.rows.near(key, first, time + GAP)
        was = [(session.bounds, session.value) for session in found]
        bounds = Window(min([time, *(each.start for each in found)]), max([time, *(each.end for each in found)]))
        if bounds.end + GAP + GRACE < self.time:
            return None
        value = "".join(each.value for each in found) + f"{time}."
        made = self.rows.put(key, bounds, value if time % 13 else None, time, found)
        return was, made.bounds, made.value


class Both:
    def __init__(self, *, lossless: bool) -> None:
        self.lossless = lossless
        self.disk = MemoryDisk()
        self.log: list[Changes] = []
        self.taken: list[Changes] = []
        self.memory = Sessions(in_memory(), lossless=lossless)
        self.stored = Sessions(on_disk(self.disk), lossless=lossless)
        self.rows.opened()

    @property
    def rows(self) -> StoredSessionRows:
        assert isinstance(self.stored.rows, StoredSessionRows)
        return self.stored.rows

    def record(self, key: str, time: int) -> None:
        assert self.stored.record(key, time) == self.memory.record(key, time)

    def evict(self, _key: str, time: int) -> None:
        for _ in range(time % 3):
            self.rows.evict()

    def take(self, _key: str, _time: int) -> None:
        """The changelog has it, the disk does not."""
        changes = self.rows.take_changes()
        other = self.memory.rows.take_changes()
        assert sorted(zip(changes.keys, changes.values, changes.timestamps, strict=True), key=str) == sorted(
            zip(other.keys, other.values, other.timestamps, strict=True), key=str
        )
        self.log.append(changes)
        self.taken.append(changes)

    def settle(self, key: str, time: int) -> None:
        self.take(key, time)
        for changes in self.taken:
            self.rows.write(changes, self.disk)
        self.taken.clear()
        self.rows.written()

    def reopen(self, key: str, time: int) -> None:
        self.settle(key, time)
        self._go_on([])

    def restore(self, key: str, time: int) -> None:
        self.settle(key, time)
        self.disk = MemoryDisk()
        self._go_on(self.log)

    def _go_on(self, log: list[Changes]) -> None:
        rows = on_disk(self.disk)
        again = Sessions(rows, lossless=self.lossless)
        for changes in log:
            rows.write(as_batch(changes), self.disk)
        rows.opened()
        again.time = self.stored.time
        self.stored = again

    def walk(self, _key: str, time: int) -> None:
        limit = self.memory.rows.limit()
        shown = [
            sorted((each.key, each.bounds, each.value) for each in rows.all() if each.end > limit)
            for rows in (self.memory.rows, self.rows)
        ]
        assert shown[0] == shown[1]
        assert len(set(shown[0])) == len(shown[0])

    def by_end(self, _key: str, time: int) -> None:
        first = max(time, self.memory.rows.limit() + 1)
        ends = [
            sorted((each.end, each.key) for each in rows.ending(first, first + 6))
            for rows in (self.memory.rows, self.rows)
        ]
        assert ends[0] == ends[1]
        found, wanted = self.rows.first_end(first), self.memory.rows.first_end(first)
        assert found == wanted or ((found is not None and self.rows._from > found and wanted is None) or found < wanted)


OPERATIONS = ["record"] * 6 + ["evict", "evict", "take", "settle", "settle", "reopen", "restore", "walk", "by_end"]


@settings(max_examples=200, deadline=None)
@given(
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(KEYS), st.integers(-22, 9)), max_size=80),
)
def test_on_disk_as_in_memory(lossless: bool, operations: list[tuple[str, str, int]]) -> None:
    both, time = Both(lossless=lossless), 30
    for name, key, step in operations:
        time = max(time, time + step)
        getattr(both, name)(key, max(time + min(step, 0), 0))
    both.walk("", 0)
    both.restore("", 0)
    both.walk("", 0)


@pytest.mark.parametrize("lossless", [False, True])
def test_what_is_forgotten_leaves_memory_and_disk(lossless: bool) -> None:
    disk = MemoryDisk()
    sessions = Sessions(on_disk(disk), lossless=lossless)
    rows = sessions.rows
    assert isinstance(rows, StoredSessionRows)
    rows.opened()
    sizes, cached = [], []
    for time in range(1, 6_000, 3):
        sessions.record(f"k{time}", time)
        sessions.record("always", time)
        sessions.record(f"twice{time // 2 % 6}", time)
        rows.write(rows.take_changes(), disk)
        rows.written()
        sizes.append(len(disk.rows))
        cached.append(rows.cached_bytes)
    assert max(sizes) == max(sizes[:60])
    assert max(cached) < 2 * max(cached[:60])  # the endless session grows


def test_new_keys_are_not_looked_for_on_disk_while_memory_has_all_that_may_be_near() -> None:
    disk = MemoryDisk()
    rows = on_disk(disk, 1_000)
    scans = []
    rows.opened()
    whole, disk.scan = disk.scan, lambda *bounds, **how: scans.append(bounds) or whole(*bounds, **how)  # type: ignore
    for time in range(0, 500, 50):
        assert rows.near(f"k{time}", time - 5, time + 5) == []
        rows.put(f"k{time}", Window(time, time), "v", time, [])
        rows.write(rows.take_changes(), disk)
        rows.written()
    rows.evict()
    assert (rows.near("new", 440, 460), scans) == ([], [])
    rows.evict()  # all that ended before
    assert rows.near("new", 440, 460) == []
    assert len(scans) == 1
    assert [session.value for session in rows.near("k50", 45, 55)] == ["v"]


def test_a_session_stands_on_disk_by_the_piece_that_it_ends_in() -> None:  # F3
    disk = MemoryDisk()
    rows = on_disk(disk, 20)
    rows.opened()
    rows.put("a", Window(13, 32), "v", 31, [])
    rows.write(rows.take_changes(), disk)
    assert disk.rows == {
        bytes.fromhex("0000000000000003 61 0000000000000020 000000000000000d"): bytes.fromhex("000000000000001f") + b"v"
    }
