"""Subscriptions by foreign key, in the order of left keys; restored from their changelog (rules J36, F13)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde.subscription import Instruction, Request
from millstream.state import Changes, SubscriptionRows
from tests.state.disks import MemoryDisk


def request(left_key: bytes) -> Request:
    return Request(Instruction.ANSWER_ALWAYS, b"h" * 16, left_key, 0)


def keys_of(rows: SubscriptionRows, foreign_key: bytes) -> list[bytes]:
    return [found.left_key for found in rows.of(foreign_key)]


def test_left_keys_stand_in_order_and_a_repeated_one_once() -> None:
    rows = SubscriptionRows("s")
    for left_key in (b"m", b"a", b"z", b"a"):
        rows.put(b"f", request(left_key), 1)
    rows.delete(b"f", b"m", 2)
    assert keys_of(rows, b"f") == [b"a", b"z"]
    assert keys_of(rows, b"g") == []


def test_the_changelog_is_the_state() -> None:
    rows, restored = SubscriptionRows("s"), SubscriptionRows("s")
    rows.put(b"f", request(b"a"), 1)
    rows.put(b"f", request(b"b"), 2)
    rows.delete(b"f", b"a", 3)
    changes = rows.take_changes()
    assert changes.keys == [b"\0\0\0\x01fa", b"\0\0\0\x01fb"]
    restored.restore(Batch(TopicPartition("log", 0), [0, 1], changes.timestamps, changes.keys, changes.values, None, 2))
    assert (keys_of(restored, b"f"), len(restored)) == ([b"b"], 1)


OPERATIONS = st.sampled_from(["put", "put", "put", "delete", "take", "settle", "reopen"])
PLACES = st.tuples(st.sampled_from([b"", b"f", b"ff"]), st.sampled_from([b"", b"a", b"fa"]))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(OPERATIONS, PLACES), max_size=30))
def test_on_disk_as_in_memory(operations: list[tuple[str, tuple[bytes, bytes]]]) -> None:
    disk = MemoryDisk()
    memory, stored = SubscriptionRows("s"), SubscriptionRows("s", disk)
    taken: list[Changes] = []
    for name, (foreign_key, left_key) in operations:
        if name == "put":
            for rows in (memory, stored):
                rows.put(foreign_key, request(left_key), 1)
        elif name == "delete":
            for rows in (memory, stored):
                rows.delete(foreign_key, left_key, 2)
        else:
            taken.append(stored.take_changes())
            assert taken[-1] == memory.take_changes()
        if name in ("settle", "reopen"):
            for changes in taken:
                stored.write(changes, disk)
            taken.clear()
            stored.written()
            assert stored.dirty_bytes == 0
        if name == "reopen":
            stored = SubscriptionRows("s", disk)
        for each in (b"", b"f", b"ff", b"none"):
            assert list(stored.of(each)) == list(memory.of(each))
