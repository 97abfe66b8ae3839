"""Versioned rows: what held when, what is forgotten, what the changelog brings back (rules K15, K16, F7)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import STRING
from millstream.state import VersionedRows

HISTORY = 50
PUTS = st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.sampled_from("xyz"), st.integers(0, 200)), max_size=30)


def opened() -> VersionedRows:
    return VersionedRows("prices", (STRING, STRING), HISTORY)


def test_before_the_history_only_the_latest_version_is_known() -> None:  # K16
    rows = opened()
    rows.put("a", "first", 0)
    rows.put("a", "second", 40)
    rows.put("b", "x", 100)
    assert rows.at("a", 30) is None
    assert rows.at("a", 45) == ["second", 40]


def test_a_delete_is_a_version() -> None:
    rows = opened()
    rows.put("a", "x", 10)
    rows.delete("a", 20)
    assert (rows.get("a"), rows.at("a", 15), rows.at("a", 25)) == (None, ["x", 10], None)


@given(PUTS)
def test_within_the_history_it_is_the_newest_version_up_to_the_moment(puts: list[tuple[str, str | None, int]]) -> None:
    rows, kept, newest = opened(), dict[tuple[str, int], str | None](), -1
    for key, value, timestamp in puts:
        newest = max(newest, timestamp)
        stored = rows.put(key, value, timestamp)
        assert (stored is None) == (timestamp < newest - HISTORY)
        if stored is not None:
            kept[key, timestamp] = value
    for key in "ab":
        for moment in range(max(0, newest - HISTORY), newest + 1):
            known = [at for name, at in kept if name == key and at <= moment]
            value = kept[key, max(known)] if known else None
            assert rows.at(key, moment) == (None if value is None else [value, max(known)])


@given(PUTS)
def test_the_changelog_is_the_state(puts: list[tuple[str, str | None, int]]) -> None:  # F7
    rows, restored = opened(), opened()
    for key, value, timestamp in puts:
        rows.put(key, value, timestamp)
    changes = rows.take_changes()
    size = len(changes)
    batch = Batch(TopicPartition("log", 0), range(size), changes.timestamps, changes.keys, changes.values, None, size)
    restored.restore(batch)
    for key in "ab":
        assert [restored.at(key, at) for at in range(200)] == [rows.at(key, at) for at in range(200)]
    assert not restored.take_changes()
