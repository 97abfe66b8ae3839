"""Window stores: what is forgotten, changelog, restoring (W20, F2)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import INT64, STRING, Window, Windowed
from millstream.state import Changes, WindowRows

LOG = TopicPartition("app-w-changelog", 0)


def rows() -> WindowRows:
    return WindowRows("w", (STRING, INT64), 10, 15)


def put(kept: WindowRows, start: int, key: str, value: int, ts: int) -> None:
    segment = kept.segment(start)
    segment.rows[key] = segment.dirty[key] = [value, ts, key, segment.window, None]


def as_batch(changes: Changes) -> Batch:
    return Batch(LOG, range(len(changes)), changes.timestamps, changes.keys, changes.values, None, len(changes))


def contents(kept: WindowRows) -> list[tuple[int, str, int, int]]:
    return sorted((start, key, row[0], row[1]) for start, key, row in kept.all())


def test_windows_are_forgotten_when_newer_ones_begin() -> None:  # W20
    kept = rows()
    for start in (0, 10, 20):
        put(kept, start, "a", 1, start)
        kept.take_changes()
    assert [start for start, *_ in contents(kept)] == [10, 20]


def test_what_the_changelog_does_not_have_yet_is_kept() -> None:
    kept = rows()
    for start in (0, 10, 20, 100):
        put(kept, start, "a", 1, start)
    assert [key and key[1:9] for key in kept.take_changes().keys] == [
        start.to_bytes(8, "big") for start in (0, 10, 20, 100)
    ]
    put(kept, 200, "a", 1, 200)
    assert [start for start, *_ in contents(kept)] == [200]


def test_changes_and_restoring() -> None:  # F2
    kept, restored = rows(), rows()
    put(kept, 10, "a", 7, 12)
    put(kept, 20, "bb", 8, 22)
    changes = kept.take_changes()
    assert changes.keys == [
        bytes.fromhex("61 000000000000000a 00000000"),
        bytes.fromhex("6262 0000000000000014 00000000"),
    ]
    restored.restore(as_batch(changes))
    assert contents(restored) == contents(kept) == [(10, "a", 7, 12), (20, "bb", 8, 22)]
    assert restored.newest() == 22
    found = restored.get(Windowed("a", Window(10, 20)))
    assert found is not None
    assert found[:2] == [7, 12]
    assert restored.get(Windowed("a", Window(0, 10))) is None


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab"), st.integers(0, 9), st.booleans(), st.booleans())))
def test_the_changelog_has_all_that_is_kept(writes: list[tuple[int, str, int, bool, bool]]) -> None:
    kept, restored = rows(), rows()
    newest = -1
    for number, key, value, delete, take in writes:
        if number * 10 <= newest - 15:
            continue  # an aggregation never writes into a window that is over
        newest = max(newest, number * 10)
        put(kept, number * 10, key, value, value)
        if delete:
            kept.put(key, number * 10, None, value)
        if take:
            restored.restore(as_batch(kept.take_changes()))
    restored.restore(as_batch(kept.take_changes()))
    assert [row for row in contents(restored) if row[0] > newest - 15] == [
        row for row in contents(kept) if row[0] > newest - 15
    ]
