"""confluent-kafka's transactions: commit, abort, fencing, offsets in transactions, and what consumers see of them."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from millstream.broker import EmbeddedBroker
from tests.broker.conftest import PATIENCE_S, consume, wait_until


@pytest.fixture
def topic(broker: EmbeddedBroker, name: str) -> str:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(PATIENCE_S)
    return name


def producer(broker: EmbeddedBroker, transactional_id: str, **config: Any) -> Producer:
    made = Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "transactional.id": transactional_id,
            "linger.ms": 0,
            "log_level": 0,
            **config,
        }
    )
    made.init_transactions(PATIENCE_S)
    return made


def consumer(broker: EmbeddedBroker, group: str = "none", isolation: str = "read_committed", **config: Any) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 100,
            **config,
        }
    )


def write(made: Producer, topic: str, *values: bytes, partition: int = 0) -> None:
    made.begin_transaction()
    for value in values:
        made.produce(topic, value, partition=partition)
    assert made.flush(PATIENCE_S) == 0


def seen(broker: EmbeddedBroker, topic: str, count: int, isolation: str = "read_committed") -> list[bytes]:
    """The first `count` values of partition 0, and no more than these up to the end that the consumer is told."""
    reader = consumer(broker, isolation=isolation, **{"enable.partition.eof": True})
    reader.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes] = []
    ended: list[int] = []

    def turn() -> None:
        message = reader.poll(0.2)
        if message is None:
            return
        error = message.error()
        if error is None:
            values.append(message.value())
        elif error.code() == KafkaError._PARTITION_EOF:
            ended.append(message.offset())

    wait_until(lambda: bool(ended), turn)
    reader.close()
    assert len(values) == count
    return values


def test_committed_ones_are_seen_and_aborted_ones_are_not(broker: EmbeddedBroker, topic: str) -> None:
    made = producer(broker, topic)
    write(made, topic, b"a", b"b")
    made.commit_transaction(PATIENCE_S)
    write(made, topic, b"void", b"void too")
    made.abort_transaction(PATIENCE_S)
    write(made, topic, b"c")
    made.commit_transaction(PATIENCE_S)
    assert seen(broker, topic, 3) == [b"a", b"b", b"c"]
    assert seen(broker, topic, 5, "read_uncommitted") == [b"a", b"b", b"void", b"void too", b"c"]


def test_an_open_transaction_hides_what_follows_until_it_ends(broker: EmbeddedBroker, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})

    def end(isolation: IsolationLevel) -> int:
        partition = TopicPartition(topic, 0)
        futures = admin.list_offsets({partition: OffsetSpec.latest()}, isolation_level=isolation)
        offset: int = futures[partition].result(PATIENCE_S).offset
        return offset

    made = producer(broker, topic)
    write(made, topic, b"open")
    plain = Producer({"bootstrap.servers": broker.bootstrap})
    plain.produce(topic, b"plain", partition=0)
    plain.flush(PATIENCE_S)
    assert (end(IsolationLevel.READ_COMMITTED), end(IsolationLevel.READ_UNCOMMITTED)) == (0, 2)
    reader = consumer(broker, **{"fetch.wait.max.ms": 15_000, "socket.timeout.ms": 20_000})
    reader.assign([TopicPartition(topic, 0, 0)])
    assert reader.poll(0.3) is None
    made.commit_transaction(PATIENCE_S)
    assert [message.value() for message in consume(reader, 2)] == [b"open", b"plain"], "a waiting fetch wakes"
    assert end(IsolationLevel.READ_COMMITTED) == 3
    reader.close()


def test_transactions_of_two_producers_interleave(broker: EmbeddedBroker, topic: str) -> None:
    one, two = producer(broker, topic + "-1"), producer(broker, topic + "-2")
    write(one, topic, b"1a")
    write(two, topic, b"2a")
    one.produce(topic, b"1b", partition=0)
    one.flush(PATIENCE_S)
    one.abort_transaction(PATIENCE_S)
    two.commit_transaction(PATIENCE_S)
    write(one, topic, b"1c")
    one.commit_transaction(PATIENCE_S)
    assert seen(broker, topic, 2) == [b"2a", b"1c"]


def test_a_zombie_is_fenced(broker: EmbeddedBroker, topic: str) -> None:
    zombie = producer(broker, topic)
    write(zombie, topic, b"of a zombie")
    heir = producer(broker, topic)
    write(heir, topic, b"of its heir")
    heir.commit_transaction(PATIENCE_S)
    with pytest.raises(KafkaException) as raised:
        zombie.commit_transaction(PATIENCE_S)
    assert raised.value.args[0].code() in {KafkaError._FENCED, KafkaError.PRODUCER_FENCED}
    assert raised.value.args[0].fatal()
    assert seen(broker, topic, 1) == [b"of its heir"]


@pytest.mark.parametrize("commit", [True, False])
def test_offsets_go_with_the_transaction(broker: EmbeddedBroker, topic: str, commit: bool) -> None:
    member = consumer(broker, topic)
    member.subscribe([topic])
    wait_until(lambda: len(member.assignment()) == 2, lambda: member.poll(0.05))
    made = producer(broker, topic)
    write(made, topic, b"out", partition=1)
    metadata = member.consumer_group_metadata()
    made.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], metadata, PATIENCE_S)
    if commit:
        made.commit_transaction(PATIENCE_S)
    else:
        made.abort_transaction(PATIENCE_S)
    found = member.committed([TopicPartition(topic, 0)], PATIENCE_S)[0].offset
    assert found == (7 if commit else -1001)
    member.close()


def test_offsets_of_a_member_that_is_out_are_refused(broker: EmbeddedBroker, topic: str) -> None:
    member = consumer(broker, topic)
    member.subscribe([topic])
    wait_until(lambda: bool(member.assignment()), lambda: member.poll(0.05))
    metadata = member.consumer_group_metadata()
    member.close()
    heir = consumer(broker, topic)
    heir.subscribe([topic])
    wait_until(lambda: bool(heir.assignment()), lambda: heir.poll(0.05))
    made = producer(broker, topic)
    made.begin_transaction()
    with pytest.raises(KafkaException) as raised:
        made.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], metadata, PATIENCE_S)
    assert raised.value.args[0].txn_requires_abort()
    made.abort_transaction(PATIENCE_S)
    assert heir.committed([TopicPartition(topic, 0)], PATIENCE_S)[0].offset < 0
    heir.close()


def test_a_timeout_that_is_too_long_is_refused(broker: EmbeddedBroker, name: str) -> None:
    with pytest.raises(KafkaException) as raised:
        producer(broker, name, **{"transaction.timeout.ms": 900_001})
    assert raised.value.args[0].code() == KafkaError.INVALID_TRANSACTION_TIMEOUT
