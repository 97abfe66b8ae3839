"""Idempotent producers: repeats, gaps, epochs, and numbers that start again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from millstream.broker.log.batch import BatchHeader, read_header
from millstream.broker.log.producers import SEQUENCES, Producers, Repeat
from tests.broker.batches import batch

NOW = 5_000


def header(sequence: int, count: int = 1, epoch: int = 0, producer: int = 7) -> BatchHeader:
    records = [(1, b"k", b"v")] * count
    return read_header(batch(records, producer_id=producer, epoch=epoch, sequence=sequence))


def test_others_are_not_checked() -> None:
    producers = Producers()
    assert producers.check(read_header(batch())) is None
    producers.remember(read_header(batch()), 0, NOW)
    assert len(producers) == 0


def test_repeats_of_the_last_five_batches_get_their_offsets() -> None:
    producers = Producers()
    for index in range(7):
        producers.remember(header(index * 2, 2), 100 + index * 2, NOW)
    assert [producers.check(header(index * 2, 2)) for index in range(2, 7)] == [
        Repeat(100 + index * 2, 1) for index in range(2, 7)
    ]
    assert producers.check(header(0, 2)) is ErrorCode.out_of_order_sequence_number


def test_gaps_are_refused() -> None:
    producers = Producers()
    producers.remember(header(0), 0, NOW)
    assert producers.check(header(2)) is ErrorCode.out_of_order_sequence_number
    assert producers.check(header(1)) is None


def test_epochs() -> None:
    producers = Producers()
    producers.remember(header(0, epoch=1), 0, NOW)
    assert producers.check(header(1, epoch=0)) is ErrorCode.invalid_producer_epoch
    assert producers.check(header(5, epoch=2)) is ErrorCode.out_of_order_sequence_number
    assert producers.check(header(0, epoch=2)) is None


def test_an_unknown_producer_may_start_anywhere() -> None:
    assert Producers().check(header(41)) is None


def test_sequences_start_again_after_the_largest() -> None:
    producers = Producers()
    producers.remember(header(SEQUENCES - 2, 3), 0, NOW)
    assert producers.check(header(1)) is None
    assert producers.check(header(SEQUENCES - 2, 3)) == Repeat(0, 1)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=20), st.data())
def test_resending_in_order_writes_each_batch_once(counts: list[int], data: st.DataObject) -> None:
    producers, written, sequence = Producers(), [], 0
    for count in counts:
        for _ in range(data.draw(st.integers(1, 3))):
            if producers.check(header(sequence, count)) is None:
                producers.remember(header(sequence, count), len(written), NOW)
                written.append(sequence)
        sequence += count
    assert written == [sum(counts[:index]) for index in range(len(counts))]


def test_the_silent_are_forgotten_unless_they_are_in_use() -> None:
    producers = Producers()
    for number in (1, 2, 3):
        producers.remember(header(0, producer=number), 0, number * 10)
    producers.forget_before(30, lambda producer: producer == 1)
    assert len(producers) == 2
    assert producers.check(header(7, producer=2)) is None, "an unknown producer may start anywhere"
    assert producers.check(header(7, producer=1)) is ErrorCode.out_of_order_sequence_number
