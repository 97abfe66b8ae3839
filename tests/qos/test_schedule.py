"""A match's records: places keep to their partitions, time to its order, ticks come every second."""

from __future__ import annotations

from examples.qos.definitions import FINAL_TICK_MS
from examples.qos.model import place_key
from examples.qos.schedule import aligned, partition_of, rows, whole
from examples.qos.source import Event
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.tuples(st.integers(0, 2_500), st.sampled_from(["Porto", "Oslo", "Bern"]))), st.integers(1, 4))
def test_every_partition_is_in_order_and_ticked(steps, partitions):
    now_ms = 0
    events = []
    for step_ms, location in steps:
        now_ms += step_ms
        events.append(Event(now_ms, place_key(location, "meridian"), b"s", b"{}"))
    records = list(whole(events, 70_000, partitions))
    assert [row.timestamp_ms for row in records] == sorted(row.timestamp_ms for row in records)
    assert [row for row in records if row.value is not None] == [
        (partition_of(event.place, partitions), 70_000 + event.offset_ms, b"s", b"{}") for event in events
    ]
    for partition in range(partitions):
        ticked = [row.timestamp_ms for row in records if row.partition == partition and row.value is None]
        assert ticked == [*range(71_000, 70_001 + now_ms, 1_000), 70_000 + now_ms + FINAL_TICK_MS]


def test_a_tick_comes_before_the_report_of_its_moment():
    records = list(rows([Event(1_000, b"p", b"s", b"{}")], 0, 1))
    assert [(row.timestamp_ms, row.value) for row in records] == [(1_000, None), (1_000, b"{}")]


def test_aligned():
    assert (aligned(20_000), aligned(20_001)) == (20_000, 30_000)
