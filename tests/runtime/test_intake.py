from __future__ import annotations

import pytest
from tests.runtime.fakes import FakeData, ManualClock

from millstream.client.contract import Fetched, PartitionEnd, PartitionFailure
from millstream.config import Settings
from millstream.errors import KafkaError
from millstream.model import Batch, TopicPartition
from millstream.runtime.intake import Intake

A, B = TopicPartition("in", 0), TopicPartition("in", 1)


class Bench:
    """An intake whose reader keeps everything."""

    def __init__(self, **settings) -> None:
        self.data, self.clock = FakeData(), ManualClock()
        self.intake = Intake(self.data, Settings.of("app", **settings), self.clock)
        self.rows: dict[TopicPartition, int] = {A: 0, B: 0}
        self.ends: list[tuple[TopicPartition, int]] = []
        self.intake.open(self, {A: 0, B: 0}, lambda source: self.rows[source])

    def take(self, batch: Batch) -> None:
        self.rows[batch.source] += len(batch)

    def ended(self, source: TopicPartition, offset: int) -> None:
        self.ends.append((source, offset))

    def fetch(self, *batches: Batch, ends=(), failures=()) -> int:
        self.data.coming = [Fetched(batches, ends, failures)]
        return self.intake.fetch(0)


def rows(source: TopicPartition, times: list[int], first: int = 0, value: bytes = b"v") -> Batch:
    offsets = range(first, first + len(times))
    return Batch(source, offsets, times, [None] * len(times), [value] * len(times), None, first + len(times))


def test_records_reach_their_reader():
    bench = Bench()
    assert bench.fetch(rows(A, [5, 6]), rows(B, [7])) == 3
    assert bench.rows == {A: 2, B: 1}


def test_what_is_known_of_an_input():
    bench = Bench()
    bench.fetch(rows(A, [50, 40]))
    bench.clock.now_ms = 30
    view = bench.intake.view(A, bench.clock.now_ms)
    assert (view.buffered, view.newest_ms, view.caught_up, view.quiet_ms) == (2, 50, False, 30)
    assert bench.intake.lag(A) == 98
    bench.fetch(rows(A, [45], first=2), ends=[PartitionEnd(A, 3)])
    view = bench.intake.view(A, bench.clock.now_ms)
    assert (view.newest_ms, view.caught_up, view.quiet_ms) == (50, True, 0)
    bench.fetch(rows(A, [60], first=3))
    assert not bench.intake.view(A, 0).caught_up


def test_an_end_before_what_has_arrived_since_is_none():
    bench = Bench()
    bench.fetch(rows(A, [1, 2, 3]), ends=[PartitionEnd(A, 2)])
    assert bench.ends == []


def test_a_full_partition_pauses_and_comes_back():
    bench = Bench(buffer_records=10)
    bench.fetch(rows(A, list(range(12))), rows(B, [1]))
    bench.intake.regulate()
    assert bench.data.paused == {A}
    bench.rows[A] = 5
    bench.intake.regulate()
    assert bench.data.paused == {A}
    bench.rows[A] = 4
    bench.intake.regulate()
    assert bench.data.paused == set()


def test_large_records_are_fetched_in_small_numbers():
    bench = Bench(round_bytes=1_000_000)
    for first in range(60):
        bench.fetch(rows(A, [1], first=first, value=b"x" * 100_000))
    assert bench.data.asked[0] > 5_000
    assert bench.data.asked[-1] < 20


def test_a_closed_partition_is_not_read_on():
    bench = Bench()
    bench.intake.close([A, TopicPartition("never", 0)])
    assert bench.fetch(rows(A, [1]), rows(B, [1])) == 2
    assert (bench.rows, bench.data.assigned) == ({A: 0, B: 1}, {B: 0})
    assert bench.intake.lag(A) is None


def test_a_failure_that_may_pass_is_borne_for_a_while():
    bench = Bench(give_up_after="60s")
    failure = PartitionFailure(A, KafkaError("no leader", retriable=True))
    bench.fetch(failures=[failure])
    bench.clock.now_ms = 59_000
    bench.fetch(failures=[failure])
    bench.clock.now_ms = 61_000
    with pytest.raises(KafkaError, match="no leader"):
        bench.fetch(failures=[failure])


def test_a_failure_that_will_not_pass_is_raised_at_once():
    with pytest.raises(KafkaError, match="not authorised"):
        Bench().fetch(failures=[PartitionFailure(A, KafkaError("not authorised"))])


def test_after_a_failure_there_may_be_records_that_nobody_has_seen():
    bench = Bench()
    assert not bench.intake.failing
    bench.fetch(failures=[PartitionFailure(A, KafkaError("leader not available", retriable=True))])
    assert bench.intake.failing
    bench.fetch(rows(A, [5]))
    assert not bench.intake.failing
