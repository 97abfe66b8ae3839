"""Subscriptions by foreign key, in the order of left keys; restored from their changelog (rules J36, F13)."""

from __future__ import annotations

from millstream.model import Batch, TopicPartition
from millstream.serde.subscription import Instruction, Request
from millstream.state import SubscriptionRows


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
