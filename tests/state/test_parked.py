"""Parked rows: what is due, against Kafka Streams' walk over all rows as it stands in its source (J5, J8, J9, F5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import STRING, SideValuesSerde
from millstream.state import Changes, ParkedRow, ParkedRows
from millstream.state.parked import LEFT, RIGHT
from tests.state.disks import MemoryDisk


def parked(disk: MemoryDisk | None = None) -> ParkedRows:
    return ParkedRows("parked", STRING, SideValuesSerde(STRING, STRING), disk)


@dataclass
class Walked:
    """Rule J8 to the letter."""

    rows: list[ParkedRow] = field(default_factory=list)
    min_time: int | None = None

    def park(self, row: ParkedRow) -> None:
        self.rows.append(row)
        self.min_time = row.timestamp if self.min_time is None else min(self.min_time, row.timestamp)

    def due(self, waits: tuple[int, int], now: int) -> list[ParkedRow]:
        self.min_time = None
        open_sides: set[int] = set()
        due = []
        for row in sorted(self.rows, key=lambda row: (row.timestamp, row.side, row.key.encode())):
            self.min_time = row.timestamp
            if len(open_sides) == 2:
                break
            if row.timestamp + waits[row.side] >= now:
                open_sides.add(row.side)
            else:
                due.append(row)
        self.rows = [row for row in self.rows if row not in due]
        return due


def settle(rows: ParkedRows, disk: MemoryDisk, taken: list[Changes]) -> None:
    for changes in taken:
        rows.write(changes, disk)
    taken.clear()
    rows.written()


def newest_of(walked: Walked) -> int:
    return max((row.timestamp for row in walked.rows), default=-1)


ROWS = st.tuples(st.integers(0, 30), st.sampled_from((LEFT, RIGHT)), st.sampled_from("abc"))


@pytest.mark.parametrize("on_disk", [False, True])
@given(
    st.lists(st.tuples(st.sampled_from(("park", "park", "unpark", "look", "take", "settle")), ROWS), max_size=60),
    st.tuples(*[st.integers(0, 12)] * 2),
)
def test_due_rows_and_the_end_of_the_walk_are_kafka_streams_own(  # J8, J9, Z2
    on_disk: bool, steps: list[tuple[str, tuple[int, int, str]]], waits: tuple[int, int]
) -> None:
    disk = MemoryDisk()
    rows, walked = parked(disk if on_disk else None), Walked()
    taken: list[Changes] = []
    for number, (step, (timestamp, side, key)) in enumerate(steps):
        rows.stream_time = max(rows.stream_time, timestamp + number // 4)
        if step == "park":
            row = ParkedRow(timestamp, side, key, f"v{number}")
            rows.park(row)
            walked.park(row)
        elif step == "unpark":
            rows.unpark(side, key, timestamp, timestamp)
            walked.rows = [row for row in walked.rows if row[:3] != (timestamp, side, key)]
        elif step in ("take", "settle"):
            taken.append(rows.take_changes())
            if step == "settle" and on_disk:
                settle(rows, disk, taken)
                assert rows.dirty_bytes == 0
                assert (rows.newest(), len(rows)) == (newest_of(walked), len(walked.rows))
        else:
            assert list(rows.due(waits, 0)) == walked.due(waits, rows.stream_time)
        assert rows.min_time == walked.min_time
        assert len(rows) == len(walked.rows)


def test_restored() -> None:  # F5
    rows = parked()
    for row in (ParkedRow(5, LEFT, "a", "x"), ParkedRow(5, LEFT, "a", "y"), ParkedRow(3, RIGHT, "b", "z")):
        rows.park(row)
    first = rows.take_changes()
    rows.unpark(RIGHT, "b", 3, 9)
    second = rows.take_changes()
    assert (second.values, second.timestamps) == ([None], [9])
    assert not rows.take_changes()
    again = parked()
    for changes in (first, second):
        count = len(changes)
        source = TopicPartition("log", 0)
        again.restore(Batch(source, range(count), changes.timestamps, changes.keys, changes.values, None, count))
    again.stream_time = 100
    assert (again.newest(), again.min_time) == (5, 5)
    assert list(again.due((0, 0), 100)) == [ParkedRow(5, LEFT, "a", "x"), ParkedRow(5, LEFT, "a", "y")]


def test_opened_again() -> None:
    """The side stands before the time on disk; when rows are due is known again."""
    disk = MemoryDisk()
    rows = parked(disk)
    for row in (ParkedRow(5, LEFT, "a", "x"), ParkedRow(7, RIGHT, "b", "z"), ParkedRow(5, LEFT, "a", "y")):
        rows.park(row)
    settle(rows, disk, [rows.take_changes()])
    assert list(disk.rows) == [b"\1" + (5).to_bytes(8, "big") + b"a", b"\0" + (7).to_bytes(8, "big") + b"b"]
    again = parked(disk)
    again.opened()
    again.park(ParkedRow(6, RIGHT, "c", "new"))
    assert (again.newest(), again.min_time, len(again)) == (7, 5, 4)
    again.stream_time = 100
    due = [row.value for row in again.due((0, 0), 100)]
    assert due == ["x", "y", "new", "z"]
    settle(again, disk, [again.take_changes()])
    assert disk.rows == {}


def test_a_row_that_fails_on_its_way_keeps_those_after_it() -> None:
    rows = parked()
    for timestamp in (1, 2, 3):
        rows.park(ParkedRow(timestamp, LEFT, "a", str(timestamp)))
    rows.stream_time = 50
    due = rows.due((0, 0), 50)
    assert next(due).value == "1"
    due.close()
    assert len(rows) == 2


class CountingDisk(MemoryDisk):
    """Counts what is read in scans."""

    scanned = 0

    def scan(self, first: bytes, end: bytes | None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        for item in super().scan(first, end, reverse=reverse):
            self.scanned += 1
            yield item


def test_rows_that_went_on_are_passed_by_once_though_the_disk_has_them_still() -> None:
    """A commit may be thousands of records away."""
    disk, number = CountingDisk(), 200
    rows = parked(disk)
    for time in range(number):
        rows.park(ParkedRow(time, LEFT, "a", "x"))
    settle(rows, disk, [rows.take_changes()])
    for time in range(number):
        rows.stream_time = time + 1
        assert [row.timestamp for row in rows.due((0, 0), 0)] == [time]
    assert disk.scanned < 6 * number
    rows.park(ParkedRow(3, LEFT, "a", "late"))
    assert [row.value for row in rows.due((0, 0), 0)] == ["late"]
