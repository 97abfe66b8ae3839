"""The feed sends a match whole and in order, waits for room, keeps its pace, and stops when told."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from examples.qos.feed import Feed, Pace
from examples.qos.schedule import whole
from examples.qos.source import Event

from millstream.errors import KafkaError

EVENTS = [Event(number * 300, b"p%d" % (number % 3), b"s", b'{"n":%d}' % number) for number in range(20)]


class Producer:
    """Takes `room` records between two polls; `refuse` names the record that the broker will not have."""

    def __init__(self, room: int = 100, refuse: int = -1, left: int = 0) -> None:
        self.sent: list[tuple[int, int, bytes | None, bytes | None]] = []
        self.refuse = refuse
        self.left = left
        self.room = self.free = room
        self.reports: list[tuple[object, object, object]] = []

    def produce(self, topic, value=None, key=None, *, partition, timestamp, on_delivery):
        assert topic == "client-reports"
        if not self.free:
            raise BufferError
        self.free -= 1
        if len(self.sent) == self.refuse:
            self.reports.append((on_delivery, "too large", SimpleNamespace(partition=lambda: partition)))
        self.sent.append((partition, timestamp, key, value))

    def poll(self, timeout):
        self.free = self.room
        for on_delivery, error, message in self.reports:
            on_delivery(error, message)
        return 0

    def flush(self, timeout):
        self.poll(timeout)
        return self.left


@pytest.mark.parametrize("room", [100, 1])
def test_everything_in_order(room):
    producer = Producer(room)
    counts = Feed(producer, Pace(50_000, None, 4)).run(EVENTS)
    assert producer.sent == [tuple(row) for row in whole(EVENTS, 50_000, 4)]
    assert (counts.reports, counts.complete) == (20, True)
    assert counts.ticks == len(producer.sent) - 20


def test_it_keeps_its_pace():
    began = time.monotonic()
    Feed(Producer(), Pace(50_000, 57.0, 1)).run(EVENTS)
    assert 0.099 <= time.monotonic() - began < 5


def test_told_to_stop_it_leaves_out_the_final_ticks():
    producer = Producer()
    feed = Feed(producer, Pace(50_000, None, 2))

    def events():
        for event in EVENTS:
            if event.offset_ms == 900:
                feed.stop.set()
            yield event

    counts = feed.run(events())
    assert (counts.reports, counts.complete) == (3, False)
    assert max(timestamp for _, timestamp, _, _ in producer.sent) == 50_600


def test_a_refused_record_is_an_error():
    with pytest.raises(KafkaError, match=r"client-reports-\d: the broker did not take a record: too large"):
        Feed(Producer(refuse=3), Pace(50_000, None, 4)).run(EVENTS)


def test_records_left_are_an_error():
    with pytest.raises(KafkaError, match="2 records were not acknowledged"):
        Feed(Producer(left=2), Pace(50_000, None, 4)).run(EVENTS)
