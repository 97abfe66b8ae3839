"""Parked rows: what is due, against Kafka Streams' walk over all rows as it stands in its source (J5, J8, J9, F5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from millstream.model import Batch, TopicPartition
from millstream.serde import STRING, SideValuesSerde
from millstream.state import ParkedRow, ParkedRows
from millstream.state.parked import LEFT, RIGHT


def parked() -> ParkedRows:
    return ParkedRows("parked", STRING, SideValuesSerde(STRING, STRING))


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


ROWS = st.tuples(st.integers(0, 30), st.sampled_from((LEFT, RIGHT)), st.sampled_from("abc"))


@given(
    st.lists(st.tuples(st.sampled_from(("park", "park", "unpark", "look")), ROWS), max_size=60),
    st.tuples(*[st.integers(0, 12)] * 2),
)
def test_due_rows_and_the_end_of_the_walk_are_kafka_streams_own(  # J8, J9, Z2
    steps: list[tuple[str, tuple[int, int, str]]], waits: tuple[int, int]
) -> None:
    rows, walked = parked(), Walked()
    for number, (step, (timestamp, side, key)) in enumerate(steps):
        rows.stream_time = max(rows.stream_time, timestamp + number // 4)
        if step == "park":
            row = ParkedRow(timestamp, side, key, f"v{number}")
            rows.park(row)
            walked.park(row)
        elif step == "unpark":
            rows.unpark(side, key, timestamp, timestamp)
            walked.rows = [row for row in walked.rows if row[:3] != (timestamp, side, key)]
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


def test_a_row_that_fails_on_its_way_keeps_those_after_it() -> None:
    rows = parked()
    for timestamp in (1, 2, 3):
        rows.park(ParkedRow(timestamp, LEFT, "a", str(timestamp)))
    rows.stream_time = 50
    due = rows.due((0, 0), 50)
    assert next(due).value == "1"
    due.close()
    assert len(rows) == 2
