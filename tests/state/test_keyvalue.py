"""Key-value stores: order, changelog, restoring (P9, F1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import INT64, STRING, JsonSerde
from millstream.state import Access, Changes, KeyValueRows, KeyValueStore

LOG = TopicPartition("app-s-changelog", 0)


def store() -> KeyValueStore[str, int]:
    return KeyValueStore(KeyValueRows("s", STRING, INT64))


def as_batch(changes: Changes) -> Batch:
    size = len(changes)
    return Batch(LOG, range(size), changes.timestamps, changes.keys, changes.values, None, size)


def test_ranges_are_in_the_order_of_the_keys_bytes() -> None:  # P9, section 12
    kept = store()
    for key in ("b", "a", "c", "aa"):
        kept.put(key, 1)
    assert [key for key, _ in kept.range("a", "b")] == ["a", "aa", "b"]
    assert [key for key, _ in kept.range(None, "aa")] == ["a", "aa"]
    assert [key for key, _ in kept.range("b")] == ["b", "c"]
    assert [key for key, _ in kept.prefix(b"a")] == ["a", "aa"]
    assert list(kept.range("b", "a")) == []
    assert [key for key, _ in kept.all(reverse=True)] == ["c", "b", "aa", "a"]


def test_reading_and_writing() -> None:
    kept = store()
    assert (kept.get("a"), "a" in kept, len(kept), kept.timestamp("a")) == (None, False, 0, None)
    assert kept.put_if_absent("a", 1) is None
    assert kept.put_if_absent("a", 2) == 1
    assert (kept["a"], len(kept), kept.timestamp("a")) == (1, 1, 0)
    assert kept.delete("a") == 1
    assert kept.delete("a") is None
    kept.put("b", 1)
    kept.put("b", None)
    assert "b" not in kept
    with pytest.raises(KeyError):
        kept["b"]


@pytest.mark.parametrize("write", [lambda s: s.put(None, 1), lambda s: s.delete(None)])
def test_a_null_key_is_refused(write) -> None:
    with pytest.raises(ValueError, match="store 's': a key must not be None"):
        write(store())


def test_a_store_may_be_written_while_it_is_walked() -> None:
    kept = store()
    for key in "abc":
        kept.put(key, 1)
    for key, _ in kept.all():
        kept.delete(key)
        kept.put(key + "x", 2)
    assert [key for key, _ in kept.all()] == ["ax", "bx", "cx"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 9)), st.booleans())))
def test_the_changelog_is_the_store(writes: list[tuple[str, int | None, bool]]) -> None:  # F1
    rows, restored = KeyValueRows("s", STRING, INT64), KeyValueRows("s", STRING, INT64)
    now = 0
    kept = KeyValueStore[str, int](rows, Access(lambda: now))
    for key, value, take in writes:
        now += 1
        kept.put(key, value)
        if take:
            restored.restore(as_batch(rows.take_changes()))
    restored.restore(as_batch(rows.take_changes()))
    assert list(restored.scan()) == list(rows.scan())
    assert len(rows.take_changes()) == 0
    assert len(restored.take_changes()) == 0, "what was restored is in the changelog already"


def test_only_the_last_value_of_a_key_is_told() -> None:  # E4
    rows = KeyValueRows("s", STRING, JsonSerde(list[int]))
    rows.put("a", [1], 1)
    rows.put("a", [2], 5)
    rows.put("b", [3], 2)
    rows.delete("b", 7)
    changes = rows.take_changes()
    assert (changes.keys, changes.values, changes.timestamps) == ([b"a", b"b"], [b"[2]", None], [5, 7])
