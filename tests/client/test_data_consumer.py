from __future__ import annotations

from collections.abc import Iterator

import pytest

from millstream.client.contract import EARLIEST, LATEST, OUT_OF_RANGE, DataConsumer, PartitionEnd
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.errors import KafkaError
from millstream.model import Batch, OutBatch, TopicPartition
from tests.client.until import until

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def consumer(client: LibrdkafkaClient) -> Iterator[DataConsumer]:
    opened = client.data_consumer("test")
    yield opened
    opened.close()


def write(client: LibrdkafkaClient, batch: OutBatch) -> None:
    producer = client.producer()
    assert producer.produce(batch) == len(batch)
    until(lambda: producer.poll(timeout_ms=50) and producer.outstanding() == 0)
    producer.close()


def rows(target: TopicPartition, *values: bytes, start: int = 1_000) -> OutBatch:
    return OutBatch(target, range(start, start + len(values)), [b"k"] * len(values), values)


def read(consumer: DataConsumer, count: int, max_records: int = 100) -> tuple[list[Batch], list[PartitionEnd]]:
    batches: list[Batch] = []
    ends: list[PartitionEnd] = []

    def step() -> bool:
        fetched = consumer.poll(max_records=max_records, timeout_ms=50)
        assert not fetched.failures
        assert sum(map(len, fetched.batches)) <= max_records
        batches.extend(fetched.batches)
        ends.extend(fetched.ends)
        return sum(map(len, batches)) >= count

    until(step)
    return batches, ends


def test_rows_come_back_as_columns(client, consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    headers = ((("h", b"1"), ("h", None)), ())
    write(client, OutBatch(source, [5, 7], [b"a", None], [None, b"y"], headers))
    consumer.assign({source: EARLIEST})
    (batch,), _ = read(consumer, 2)
    assert (batch.source, list(batch.offsets), batch.next_offset) == (source, [0, 1], 2)
    assert (batch.timestamps, batch.keys, batch.values) == ([5, 7], [b"a", None], [None, b"y"])
    assert batch.headers == [*headers]


def test_headers_are_left_out_when_no_row_has_any(client, consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, b"a"))
    consumer.assign({source: 0})
    (batch,), _ = read(consumer, 1)
    assert batch.headers is None


def test_the_end_of_a_partition_comes_with_its_last_rows(client, consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, b"a", b"b", b"c"))
    consumer.assign({source: 0})
    _, ends = read(consumer, 3)
    assert ends == [PartitionEnd(source, 3)]
    assert consumer.known_end(source) == 3
    assert consumer.watermarks(source, timeout_ms=5_000) == (0, 3)


def test_an_empty_partition_reports_its_end(consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    consumer.assign({source: EARLIEST})
    ends = until(lambda: consumer.poll(max_records=10, timeout_ms=50).ends)
    assert list(ends) == [PartitionEnd(source, 0)]


def test_no_end_while_rows_are_left(client, consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, *[b"v"] * 20))
    consumer.assign({source: 0})
    _, ends = read(consumer, 12, max_records=4)
    assert ends == []
    _, ends = read(consumer, 8, max_records=4)
    assert ends == [PartitionEnd(source, 20)]


def test_partitions_are_assigned_one_after_the_other(client, consumer, new_topic):
    topic = new_topic(partitions=2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    write(client, rows(first, b"a"))
    write(client, rows(second, b"b", b"c"))
    consumer.assign({first: 0})
    read(consumer, 1)
    consumer.assign({first: 0, second: 1})  # what is assigned already is left alone
    batches, _ = read(consumer, 1)
    assert [(batch.source, list(batch.values)) for batch in batches] == [(second, [b"c"])]


def test_an_unassigned_partition_is_silent_and_can_come_back(client, consumer, new_topic):
    topic = new_topic(partitions=2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    consumer.assign({first: 0, second: 0})
    consumer.unassign([first])
    write(client, rows(first, b"a"))
    write(client, rows(second, b"b"))
    batches, _ = read(consumer, 1)
    assert [batch.source for batch in batches] == [second]
    consumer.assign({first: 0})
    batches, _ = read(consumer, 1)
    assert [batch.source for batch in batches] == [first]


def test_latest_skips_what_stands_there(client, consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, b"old"))
    consumer.assign({source: LATEST})
    until(lambda: consumer.poll(max_records=10, timeout_ms=50).ends)
    write(client, rows(source, b"new"))
    (batch,), _ = read(consumer, 1)
    assert batch.values == [b"new"]


def test_seek_reads_again(client, consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, b"a", b"b", b"c"))
    consumer.assign({source: 0})
    read(consumer, 3)
    consumer.seek(source, 1)
    batches, _ = read(consumer, 2)
    assert [offset for batch in batches for offset in batch.offsets] == [1, 2]


def test_a_paused_partition_loses_nothing(client, consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, *[b"v"] * 30))
    consumer.assign({source: 0})
    before, _ = read(consumer, 10, max_records=10)
    consumer.pause([source])
    assert not consumer.poll(max_records=100, timeout_ms=200).batches
    consumer.resume([source])
    after, _ = read(consumer, 30 - sum(map(len, before)))
    assert [offset for batch in before + after for offset in batch.offsets] == list(range(30))


def test_an_offset_that_is_gone_goes_on_from_the_earliest(client, consumer, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, b"a"))
    consumer.assign({source: 1_000})
    batches, _ = read(consumer, 1)
    assert list(batches[0].offsets) == [0]


def test_a_missing_topic_is_a_failure(bootstrap):
    hasty = LibrdkafkaClient(bootstrap, consumer={"topic.metadata.propagation.max.ms": 100}).data_consumer("test")
    source = TopicPartition("no-such-topic-anywhere", 0)
    hasty.assign({source: 0})
    (failure,) = until(lambda: hasty.poll(max_records=10, timeout_ms=50).failures)
    hasty.close()
    assert "no-such-topic-anywhere" in str(failure.error)
    assert not failure.error.retriable


def test_a_closed_consumer_says_so(client):
    closed = client.data_consumer("test")
    closed.close()
    with pytest.raises(KafkaError, match="reading"):
        closed.poll(max_records=1, timeout_ms=0)


def test_a_partition_that_is_not_known_yet_is_asked_for_again_within_the_limit(client, new_topic):
    """While Apache Kafka comes back it may know of none of its partitions."""
    consumer = client.data_consumer("test")
    with pytest.raises(KafkaError) as unknown:
        consumer.watermarks(TopicPartition(new_topic(), 7), timeout_ms=200)
    consumer.close()
    assert unknown.value.retriable


def test_a_strict_consumer_tells_of_an_offset_that_is_gone(client, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, b"a"))
    strict = client.data_consumer("test", strict=True)
    strict.assign({source: 1_000})
    failures = until(lambda: strict.poll(max_records=10, timeout_ms=50).failures)
    strict.close()
    assert [(each.source, each.error.code, each.error.retriable) for each in failures] == [
        (source, OUT_OF_RANGE, False)
    ]


def test_a_strict_consumer_reads_what_there_is(client, new_topic):
    source = TopicPartition(new_topic(), 0)
    write(client, rows(source, b"a", b"b"))
    strict = client.data_consumer("test", strict=True)
    strict.assign({source: 0})
    batches, _ = read(strict, 2)
    strict.close()
    assert [value for batch in batches for value in batch.values] == [b"a", b"b"]
