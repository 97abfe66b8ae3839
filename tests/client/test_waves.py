from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.client.librdkafka.waves import WAVE_BYTES, WAVE_ROWS, Waves
from millstream.model import OutBatch, TopicPartition

A, B = TopicPartition("a", 0), TopicPartition("b", 0)


def batch(target, count, size=1, start=0):
    return OutBatch(target, range(start, start + count), [None] * count, [b"v" * size] * count)


def rows_of(wave, target=A):
    found = []
    for rows in wave:
        found += rows.batch.timestamps[rows.first : rows.end] if rows.batch.target == target else []
    return found


def test_a_wave_holds_no_more_of_a_partition_than_a_request():
    waves = Waves(rows=100_000, size=10**9)
    for start in range(0, 20_000, 1_000):
        waves.add(batch(A, 1_000, start=start))
    waves.add(batch(B, 10))
    wave = list(waves.take())
    assert rows_of(wave) == list(range(WAVE_ROWS))
    assert rows_of(wave, B) == list(range(10))
    assert rows_of(waves.take()) == list(range(WAVE_ROWS, 2 * WAVE_ROWS))


def test_large_rows_make_a_wave_of_as_many_bytes():
    waves = Waves(rows=100_000, size=10**9)
    waves.add(batch(A, 1_000, 10_000))
    assert 0.9 * WAVE_BYTES < 10_000 * len(rows_of(waves.take())) <= WAVE_BYTES
    waves.clear()
    waves.add(batch(A, 3, 2 * WAVE_BYTES))
    assert rows_of(waves.take()) == [0]


def test_it_takes_as_much_as_it_may_hold():
    waves = Waves(rows=10, size=1_000)
    assert (waves.add(batch(A, 7)), waves.add(batch(A, 7)), waves.add(batch(A, 1))) == (7, 3, 0)
    waves.clear()
    assert (waves.rows, waves.add(batch(A, 2, 600)), waves.add(batch(A, 1))) == (0, 2, 0)


def test_what_could_not_be_sent_comes_first_again():
    waves = Waves(rows=100, size=1_000)
    waves.add(batch(A, 5))
    waves.add(batch(A, 5, start=5))
    for taken in waves.take():
        waves.put_back(taken.cut(2)[1])
        break
    assert waves.rows == 8
    assert rows_of(waves.take()) == list(range(2, 10))


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(1, 12_000), st.integers(0, 300)), max_size=12))
def test_every_row_comes_once_and_in_its_partitions_order(added):
    waves = Waves(rows=10**9, size=10**12)
    put = {A: 0, B: 0}
    for target, count, size in added:
        waves.add(batch(target, count, size, start=put[target]))
        put[target] += count
    found: dict[TopicPartition, list[int]] = {A: [], B: []}
    while waves.rows:
        wave = list(waves.take())
        for target in found:
            rows = rows_of(wave, target)
            assert len(rows) <= WAVE_ROWS
            found[target] += rows
    assert found == {target: list(range(count)) for target, count in put.items()}
    assert list(waves.take()) == []
