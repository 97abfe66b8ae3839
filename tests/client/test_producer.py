from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from millstream.client.contract import DeliveryFailure, Producer
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.model import OutBatch, TopicPartition
from tests.client.test_data_consumer import read, rows
from tests.client.until import until

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def producer(client: LibrdkafkaClient) -> Iterator[Producer]:
    opened = client.producer()
    yield opened
    opened.close()


def settle(producer: Producer) -> tuple[int, list[DeliveryFailure]]:
    acknowledged, failures = 0, []

    def step() -> bool:
        nonlocal acknowledged
        news = producer.poll(timeout_ms=50)
        acknowledged += news.acknowledged
        failures.extend(news.failures)
        return producer.outstanding() == 0 and not news.acknowledged

    until(step)
    return acknowledged, failures


def test_every_row_is_acknowledged(producer, new_topic):
    topic = new_topic(partitions=2)
    assert producer.produce(rows(TopicPartition(topic, 0), *[b"v"] * 300)) == 300
    assert producer.produce(rows(TopicPartition(topic, 1), *[b"v"] * 20)) == 20
    assert producer.outstanding() > 0
    assert settle(producer) == (320, [])


def test_order_and_partition_are_the_callers(client, producer, new_topic):
    source = TopicPartition(new_topic(partitions=3), 2)
    producer.produce(rows(source, *(b"%d" % i for i in range(500))))
    settle(producer)
    consumer = client.data_consumer("test")
    consumer.assign({source: 0})
    batches, _ = read(consumer, 500)
    consumer.close()
    assert [value for batch in batches for value in batch.values] == [b"%d" % i for i in range(500)]


def test_timestamp_zero_is_sent_as_one(client, producer, new_topic):
    source = TopicPartition(new_topic(), 0)
    producer.produce(OutBatch(source, [0, 1, 2], [None] * 3, [b""] * 3))
    settle(producer)
    consumer = client.data_consumer("test")
    consumer.assign({source: 0})
    (batch,), _ = read(consumer, 3)
    consumer.close()
    assert batch.timestamps == [1, 1, 2]


def test_a_full_queue_takes_fewer(bootstrap, new_topic):
    small = LibrdkafkaClient(bootstrap, producer={"queue.buffering.max.messages": 10, "linger.ms": 1000})
    producer = small.producer()
    batch = rows(TopicPartition(new_topic(), 0), *[b"v"] * 25)
    assert producer.produce(batch) == 10
    until(lambda: producer.poll(timeout_ms=50) and producer.outstanding() == 0)
    assert producer.produce(rows(batch.target, *[b"v"] * 3)) == 3
    assert settle(producer)[1] == []
    producer.close()


def test_a_row_that_is_too_large_is_a_failure_with_its_key(producer, new_topic):
    target = TopicPartition(new_topic(), 0)
    huge = OutBatch(target, [1, 2, 3], [b"a", b"huge", b"c"], [b"", b"x" * 2_000_000, b""])
    assert producer.produce(huge) == 3
    acknowledged, (failure,) = settle(producer)
    assert (acknowledged, failure.target, failure.key) == (2, target, b"huge")
    assert not failure.error.retriable


def test_a_row_that_the_client_refuses_is_outstanding_until_it_is_reported(producer, new_topic):
    huge = OutBatch(TopicPartition(new_topic(), 0), [1], [b"huge"], [b"x" * 2_000_000])
    producer.produce(huge)
    assert producer.outstanding() == 1
    assert len(producer.poll(timeout_ms=0).failures) == 1
    assert producer.outstanding() == 0


def test_a_row_that_fails_comes_back_with_its_origin(producer, new_topic):
    target = TopicPartition(new_topic(**{"max.message.bytes": "1000"}), 0)
    value = os.urandom(3_000)
    producer.produce(OutBatch(target, [1, 2], [b"a", b"a"], [value, value], None, ["first", "second"]))
    _, failures = settle(producer)
    assert [each.row and (each.row.origins, each.row.timestamps) for each in failures] == [
        (["first"], [1]),
        (["second"], [2]),
    ]
    assert {(each.size, each.aborts) for each in failures} == {(3_001, False)}


def test_a_missing_partition_is_a_failure(producer, new_topic):
    target = TopicPartition(new_topic(), 7)
    producer.produce(rows(target, b"v"))
    _, (failure,) = settle(producer)
    assert failure.target == target
    assert str(target) in str(failure.error)


def test_closing_gives_up_what_is_outstanding():
    lonely = LibrdkafkaClient("127.0.0.1:1").producer()
    lonely.produce(rows(TopicPartition("t", 0), b"v"))
    assert lonely.outstanding() > 0
    lonely.close()


def test_rows_that_are_held_are_sent_by_later_polls(client, producer, new_topic):
    source = TopicPartition(new_topic(), 0)
    batches = [rows(source, *(b"%d" % (5_000 * turn + i) for i in range(5_000))) for turn in range(5)]
    for each in batches:
        assert producer.produce(each) == 5_000
    held = producer.poll(timeout_ms=0).held
    assert 0 < held < producer.outstanding()
    assert settle(producer)[1] == []
    assert producer.poll(timeout_ms=0).held == 0
    consumer = client.data_consumer("test")
    consumer.assign({source: 0})
    found, _ = read(consumer, 25_000, 10_000)
    consumer.close()
    assert [value for batch in found for value in batch.values] == [value for each in batches for value in each.values]


def test_rows_behind_one_that_is_refused_wait_until_that_is_told(producer, new_topic):
    target = TopicPartition(new_topic(), 0)
    producer.produce(OutBatch(target, [1, 2], [b"huge", b"after"], [b"x" * 2_000_000, b""]))
    (failure,) = producer.poll(timeout_ms=50).failures
    assert (failure.key, producer.outstanding()) == (b"huge", 1)
    assert settle(producer) == (1, [])
