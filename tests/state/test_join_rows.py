"""Window stores of stream-stream joins, against a plain list (J6, J7, F4, W20)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import STRING
from millstream.state import JoinRows

PUTS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 100)), max_size=60)


def rows_with(retention_ms: int) -> JoinRows:
    return JoinRows("rows", (STRING, STRING), retention_ms)


@given(PUTS, st.integers(0, 40), st.integers(0, 20), st.booleans())
def test_finds_what_is_not_too_old(puts: list[tuple[str, int]], retention: int, reach: int, restart: bool) -> None:
    rows, known, newest = rows_with(retention), list[tuple[str, int, str]](), -1
    for number, (key, timestamp) in enumerate(puts):
        rows.put(key, f"v{number}", timestamp)
        known.append((key, timestamp, f"v{number}"))
        newest = max(newest, timestamp)
        if restart and number % 7 == 6:
            rows = restored(rows, retention)
        visible = [row for row in known if row[1] > newest - retention]
        wanted = sorted((t, v) for k, t, v in visible if k == key and timestamp - reach <= t <= timestamp + reach)
        found = rows.between(key, timestamp - reach, timestamp + reach)
        assert [t for t, _ in found] == [t for t, _ in wanted]
        assert sorted(found) == wanted
        assert sorted(rows.all()) == sorted(visible)


def restored(rows: JoinRows, retention: int) -> JoinRows:
    """All that can still be found goes through the changelog into a store of its own."""
    log = JoinRows("log", (STRING, STRING), retention)
    for key, timestamp, value in rows.all():
        log.put(key, value, timestamp)
    changes, again = log.take_changes(), rows_with(retention)
    again.restore(
        Batch(
            TopicPartition("log", 0),
            range(len(changes)),
            changes.timestamps,
            changes.keys,
            changes.values,
            None,
            len(changes),
        )
    )
    again.newest = rows.newest
    return again


def test_one_time_keeps_the_order_of_arrival_and_numbers_go_on() -> None:  # F4
    rows = rows_with(10)
    for value in "xyz":
        rows.put("a", value, 5)
    assert rows.between("a", 5, 5) == [(5, "x"), (5, "y"), (5, "z")]
    changes = rows.take_changes()
    assert [key[-4:] for key in changes.keys if key] == [b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3"]
    assert not rows.take_changes()
    again = rows_with(10)
    again.restore(Batch(TopicPartition("log", 0), range(3), [5] * 3, changes.keys, changes.values, None, 3))
    again.put("a", "w", 5)
    (key,) = again.take_changes().keys
    assert key is not None
    assert key[-4:] == b"\0\0\0\4"
    assert again.between("a", 0, 9) == [(5, "x"), (5, "y"), (5, "z"), (5, "w")]


def test_rows_encoded_before_a_commit_are_numbered_like_others() -> None:  # F4
    early, late = rows_with(10_000), rows_with(10_000)
    late._soon = None
    for number in range(2_000):
        for rows in (early, late):
            rows.put(f"k{number % 7}", f"v{number}", number)
    assert len(early._fresh) < 512
    assert early.take_changes() == late.take_changes()


@pytest.mark.parametrize("more", [3, 2_000])
def test_a_value_that_cannot_be_encoded_is_told_at_the_commit(more: int) -> None:
    rows = rows_with(10_000)
    rows.put("a", 7, 0)
    for number in range(more):
        rows.put("a", "v", number)
    for _ in range(2):
        with pytest.raises(TypeError, match="expected a string"):
            rows.take_changes()


def test_old_rows_are_freed() -> None:  # W20
    rows = rows_with(160)
    for timestamp in range(10_000):
        rows.put(f"k{timestamp % 50}", "v", timestamp)
        rows.put("hot", "v", timestamp)
        assert len(rows) <= 2 * (160 + 40)
    assert len(rows._pieces) == 5


def test_keys_that_get_no_more_rows_are_freed() -> None:  # W20
    rows = rows_with(160)
    for timestamp in range(100):
        rows.put(f"k{timestamp}", "v", timestamp)
    rows.put("future", "v", 1_000)
    rows.put("late", "v", 841)
    assert {key for piece in rows._pieces for key in piece.rows} == {"future", "late"}


def test_a_key_with_many_rows() -> None:  # J7
    rows, known, random = rows_with(1_000), list[tuple[int, int]](), Random(1)
    for number in range(4_000):
        timestamp = max(0, number // 2 - random.choice((0, 0, random.randrange(900))))
        rows.put("hot", number, timestamp)
        known.append((timestamp, number))
    known.sort(key=lambda row: row[0])
    for first in range(900, 2_100, 7):
        for last in (first, first + 5, first + 700):
            assert rows.between("hot", first, last) == [row for row in known if max(first, 1_000) <= row[0] <= last]


def test_a_row_that_comes_too_late_is_not_kept() -> None:  # J7
    rows = rows_with(10)
    rows.put("a", "new", 100)
    rows.put("a", "old", 90)
    rows.put("a", "last", 91)
    assert rows.between("a", 0, 200) == [(91, "last"), (100, "new")]
    assert len(rows.take_changes()) == 2
