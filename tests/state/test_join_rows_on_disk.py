"""Window stores of stream joins over a disk: the same records as in memory (J6, J7, F4)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import STRING
from millstream.state import Changes, JoinRows, StoredJoinRows
from tests.state.disks import MemoryDisk

LOG = TopicPartition("app-j-changelog", 0)
RETENTION = 30
KEYS = ["", "a", "a\0\0\0\0\0\0\0\0\0\0\0\0", "b"]


def as_batch(changes: Changes) -> Batch:
    size = len(changes)
    return Batch(LOG, range(size), changes.timestamps, changes.keys, changes.values, None, size)


def on_disk(disk: MemoryDisk, log: list[Changes] | None = None) -> StoredJoinRows:
    rows = StoredJoinRows("j", (STRING, STRING), RETENTION, disk=disk)
    for changes in log or ():
        rows.write(as_batch(changes), disk)
    rows.opened()
    return rows


class Both:
    """The same store in memory and on disk; what one answers the other must."""

    def __init__(self) -> None:
        self.number = 0
        self.disk = MemoryDisk()
        self.log: list[Changes] = []
        self.taken: list[Changes] = []
        self.memory = JoinRows("j", (STRING, STRING), RETENTION)
        self.stored = on_disk(self.disk)

    def put(self, key: str, time: int) -> None:
        self.number += 1
        for rows in (self.memory, self.stored):
            rows.put(key, f"v{self.number}", time)

    def look(self, key: str, time: int) -> None:
        for reach in (0, 4, 40):
            bounds = (key, time - reach, time + reach // 2)
            assert self.stored.between(*bounds) == self.memory.between(*bounds)

    def evict(self, _key: str, time: int) -> None:
        for _ in range(time % 3):
            self.stored.evict()

    def take(self, _key: str, _time: int) -> None:
        """The changelog has it, the disk does not."""
        changes = self.stored.take_changes()
        assert changes == self.memory.take_changes()
        self.log.append(changes)
        self.taken.append(changes)

    def settle(self, key: str, time: int) -> None:
        self.take(key, time)
        for changes in self.taken:
            self.stored.write(changes, self.disk)
        self.taken.clear()
        self.stored.written()

    def reopen(self, key: str, time: int) -> None:
        self.settle(key, time)
        self.stored = on_disk(self.disk)

    def restore(self, key: str, time: int) -> None:
        self.settle(key, time)
        self.disk = MemoryDisk()
        self.stored = on_disk(self.disk, self.log)

    def walk(self, _key: str, _time: int) -> None:
        assert sorted(self.stored.all()) == sorted(self.memory.all())


OPERATIONS = ["put"] * 5 + ["look", "look", "evict", "evict", "take", "settle", "settle", "reopen", "restore", "walk"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(KEYS), st.integers(-35, 9)), max_size=80))
def test_on_disk_as_in_memory(operations: list[tuple[str, str, int]]) -> None:
    both, time = Both(), 10
    for name, key, step in operations:
        time = max(time, time + step)
        getattr(both, name)(key, max(time + min(step, 0), 0))
    both.walk("", 0)
    both.restore("", 0)
    both.walk("", 0)


def test_what_is_forgotten_leaves_memory_and_disk() -> None:
    disk = MemoryDisk()
    rows = on_disk(disk)
    sizes, cached = [], []
    for time in range(2_000):
        for key in (f"k{time}", "hot", "hot"):
            rows.put(key, "v", max(time - len(key), 0))
        rows.write(rows.take_changes(), disk)
        rows.written()
        sizes.append(len(disk.rows))
        cached.append(rows._held)
    assert max(sizes) == max(sizes[:100])
    assert max(cached) == max(cached[:100])


def test_of_a_hot_key_only_what_is_asked_for_is_read() -> None:
    disk = MemoryDisk()
    rows = on_disk(disk)
    for time in range(RETENTION):
        rows.put("hot", f"v{time}", time)
    rows.write(rows.take_changes(), disk)
    rows.written()
    rows.evict()
    rows.evict()
    read: list[bytes] = []
    whole = disk.scan
    disk.scan = lambda first, end, **how: (read.append(key) or (key, value) for key, value in whole(first, end, **how))
    assert rows.between("hot", 13, 16) == [(13, "v13"), (14, "v14"), (15, "v15"), (16, "v16")]
    assert len(read) == 4
    assert rows._held == 0


def test_a_record_stands_on_disk_by_its_piece_of_time() -> None:  # F4
    disk = MemoryDisk()
    rows = on_disk(disk)
    rows.put("a", "v", 31)
    rows.write(rows.take_changes(), disk)
    assert disk.rows == {bytes.fromhex("0000000000000002 61 000000000000001f 00000001"): b"v"}
