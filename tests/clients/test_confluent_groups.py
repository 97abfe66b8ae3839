"""confluent-kafka's consumers in the new protocol (KIP-848), on either broker."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PATIENCE_S = 30.0
PARTITIONS = 4


@pytest.fixture
def topic(any_broker: str) -> Iterator[str]:
    name = f"confluent-groups-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": any_broker})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(PATIENCE_S)
    yield name
    admin.delete_topics([name])[name].result(PATIENCE_S)


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % PARTITIONS)
    assert producer.flush(PATIENCE_S) == 0


def member(bootstrap: str, group: str, **config: Any) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            **config,
        }
    )


def until(condition: Callable[[], bool], consumers: list[Consumer], values: list[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        for consumer in consumers:
            values += [message.value() for message in consumer.consume(100, 0.05) if not message.error()]


def owned(consumer: Consumer) -> list[int]:
    return sorted(each.partition for each in consumer.assignment())


def test_members_share_and_go_on_where_others_were(any_broker: str, topic: str) -> None:
    produce(any_broker, topic, [b"%d" % number for number in range(8)])
    values: list[bytes] = []
    first, second = (member(any_broker, topic) for _ in range(2))
    first.subscribe([topic])
    until(lambda: len(values) == 8, [first], values)
    assert owned(first) == [0, 1, 2, 3]
    first.commit(asynchronous=False)
    second.subscribe([topic])
    until(lambda: [len(owned(each)) for each in (first, second)] == [2, 2], [first, second], values)
    assert sorted(owned(first) + owned(second)) == [0, 1, 2, 3]
    produce(any_broker, topic, [b"a", b"b", b"c", b"d"])
    until(lambda: len(values) == 12, [first, second], values)
    second.commit(asynchronous=False)
    second.close()
    until(lambda: owned(first) == [0, 1, 2, 3], [first], values)
    assert sorted(values) == sorted([*(b"%d" % number for number in range(8)), b"a", b"b", b"c", b"d"])
    first.close()


def test_patterns_find_topics(any_broker: str, topic: str) -> None:
    produce(any_broker, topic, [b"1"])
    values: list[bytes] = []
    consumer = member(any_broker, f"{topic}-pattern")
    consumer.subscribe([f"^{topic[:-1]}."])
    until(lambda: values == [b"1"], [consumer], values)
    consumer.close()


def test_static_members_keep_their_partitions(any_broker: str, topic: str) -> None:
    group = f"{topic}-static"
    values: list[bytes] = []
    members = [member(any_broker, group, **{"group.instance.id": name}) for name in ("one", "two")]
    for each in members:
        each.subscribe([topic])
    until(lambda: [len(owned(each)) for each in members] == [2, 2], members, values)
    had = owned(members[1])
    members[1].close()
    again = member(any_broker, group, **{"group.instance.id": "two"})
    again.subscribe([topic])
    until(lambda: bool(owned(again)), [members[0], again], values)
    assert owned(again) == had
    assert len(owned(members[0])) == 2
    for each in (members[0], again):
        each.close()


def test_a_commit_of_nobody_is_refused(any_broker: str, topic: str) -> None:
    group = f"{topic}-fenced"
    values: list[bytes] = []
    inside, outside = member(any_broker, group), Consumer({"bootstrap.servers": any_broker, "group.id": group})
    inside.subscribe([topic])
    until(lambda: len(owned(inside)) == PARTITIONS, [inside], values)
    with pytest.raises(KafkaException) as raised:
        outside.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    assert raised.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID
    inside.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    assert inside.committed([TopicPartition(topic, 0)], PATIENCE_S)[0].offset == 5
    inside.close()
    outside.close()


def test_offsets_in_a_transaction_are_fenced_by_the_members_epoch(any_broker: str, topic: str) -> None:
    """As a program of exactly-once does it: what was read is committed with what was written."""
    produce(any_broker, topic, [b"1", b"2", b"3", b"4"])
    values: list[bytes] = []
    consumer = member(any_broker, f"{topic}-transactional")
    consumer.subscribe([topic])
    until(lambda: len(values) == PARTITIONS, [consumer], values)
    producer = Producer({"bootstrap.servers": any_broker, "transactional.id": topic})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    offsets = [TopicPartition(topic, partition, 1) for partition in range(PARTITIONS)]
    metadata = consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction(offsets, metadata, PATIENCE_S)
    producer.commit_transaction(PATIENCE_S)
    assert [each.offset for each in consumer.committed(offsets, PATIENCE_S)] == [1] * PARTITIONS

    other = member(any_broker, f"{topic}-transactional")
    other.subscribe([topic])
    until(lambda: len(owned(other)) == PARTITIONS // 2, [consumer, other], values)
    other.close()
    producer.begin_transaction()
    with pytest.raises(KafkaException) as raised:
        producer.send_offsets_to_transaction(offsets, metadata, PATIENCE_S)
    assert raised.value.args[0].txn_requires_abort()
    producer.abort_transaction(PATIENCE_S)
    consumer.close()
