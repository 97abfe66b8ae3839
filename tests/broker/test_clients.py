"""confluent-kafka against the broker, unchanged: records, groups, offsets, administration."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from millstream.broker import EmbeddedBroker
from tests.broker.conftest import PATIENCE_S, consume, wait_until

Futures = dict[Any, Future[Any]]


def results(futures: Futures) -> list[Any]:
    return [future.result(PATIENCE_S) for future in futures.values()]


def error_of(futures: Futures) -> int:
    with pytest.raises(KafkaException) as raised:
        results(futures)
    error = raised.value.args[0]
    assert isinstance(error, KafkaError)
    return error.code()


@pytest.fixture
def admin(broker: EmbeddedBroker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.bootstrap})


@pytest.fixture
def topic(admin: AdminClient, name: str) -> str:
    results(admin.create_topics([NewTopic(name, 2, 1)]))
    return name


def produce(broker: EmbeddedBroker, topic: str, values: list[bytes], **config: Any) -> None:
    errors: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 1, **config})
    for index, value in enumerate(values):
        producer.produce(
            topic,
            value,
            key=b"k",
            partition=0,
            timestamp=1000 + index,
            on_delivery=lambda error, _: errors.append(error) if error else None,
        )
    assert producer.flush(PATIENCE_S) == 0
    assert errors == []


def consumer(broker: EmbeddedBroker, group: str = "none", **config: Any) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 100,
            "fetch.wait.max.ms": 20,
            **config,
        }
    )


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_come_back_as_they_were(broker: EmbeddedBroker, topic: str, codec: str) -> None:
    values = [b"%d " % index * 20 for index in range(500)]
    produce(broker, topic, values, **{"compression.type": codec, "enable.idempotence": True})
    reader = consumer(broker)
    reader.assign([TopicPartition(topic, 0, 0)])
    found = consume(reader, 500)
    assert [message.value() for message in found] == values
    assert [message.offset() for message in found] == list(range(500))
    assert [message.timestamp()[1] for message in found] == list(range(1000, 1500))
    # A batch is stored as it was sent, and each timestamp inside it is found.
    times = [TopicPartition(topic, 0, stamp) for stamp in (0, 1250, 1499)]
    assert [reader.offsets_for_times([time], PATIENCE_S)[0].offset for time in times] == [0, 250, 499]
    assert reader.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE_S) == (0, 500)
    reader.close()


def test_a_consumer_that_waits_gets_a_record_at_once(broker: EmbeddedBroker, topic: str) -> None:
    reader = consumer(broker, **{"fetch.wait.max.ms": 15_000, "socket.timeout.ms": 20_000})
    reader.assign([TopicPartition(topic, 0, 0)])
    reader.poll(0.2)
    produce(broker, topic, [b"now"])
    message = reader.poll(5)
    assert message is not None
    assert message.value() == b"now"
    reader.close()


def test_topics_come_into_being_when_they_are_first_used(broker: EmbeddedBroker, name: str) -> None:
    produce(broker, name, [b"first"])
    reader = consumer(broker)
    assert len(reader.list_topics(name, PATIENCE_S).topics[name].partitions) == 1
    reader.close()


def test_two_members_share_by_cooperative_sticky(broker: EmbeddedBroker, topic: str) -> None:
    config = {"partition.assignment.strategy": "cooperative-sticky"}
    first, second = consumer(broker, topic, **config), consumer(broker, topic, **config)
    both = (first, second)

    def turn() -> None:
        for each in both:
            each.poll(0.05)

    first.subscribe([topic])
    wait_until(lambda: len(first.assignment()) == 2, turn)
    second.subscribe([topic])
    wait_until(lambda: [len(each.assignment()) for each in both] == [1, 1], turn)
    second.close()
    wait_until(lambda: len(first.assignment()) == 2, lambda: first.poll(0.05))
    first.close()


def test_committed_offsets_are_where_the_next_member_starts(broker: EmbeddedBroker, topic: str) -> None:
    produce(broker, topic, [b"%d" % index for index in range(10)])
    first = consumer(broker, topic)
    first.subscribe([topic])
    found = consume(first, 10)
    first.commit(offsets=[TopicPartition(topic, 0, found[5].offset() + 1)], asynchronous=False)
    first.close()
    second = consumer(broker, topic)
    second.subscribe([topic])
    assert [message.offset() for message in consume(second, 4)] == [6, 7, 8, 9]
    second.close()


def test_a_commit_of_another_generation_is_refused(broker: EmbeddedBroker, topic: str) -> None:
    member = consumer(broker, topic)
    member.subscribe([topic])
    wait_until(lambda: bool(member.assignment()), lambda: member.poll(0.05))
    stranger = consumer(broker, topic)
    with pytest.raises(KafkaException) as raised:
        stranger.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    assert raised.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID
    member.close()
    stranger.close()


def test_offsets_out_of_range_are_told(broker: EmbeddedBroker, topic: str) -> None:
    produce(broker, topic, [b"only"])
    reader = consumer(broker, **{"auto.offset.reset": "error"})
    reader.assign([TopicPartition(topic, 0, 99)])
    message = reader.poll(PATIENCE_S)
    assert message is not None
    assert message.error().code() == KafkaError._AUTO_OFFSET_RESET
    reader.close()


def test_too_large_records_are_refused(broker: EmbeddedBroker, admin: AdminClient, name: str) -> None:
    results(admin.create_topics([NewTopic(name, 1, 1, config={"max.message.bytes": "500"})]))
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    errors: list[int] = []
    producer.produce(name, bytes(600), on_delivery=lambda error, _: errors.append(error.code()))
    producer.flush(PATIENCE_S)
    assert errors == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_compacted_topics_want_keys(broker: EmbeddedBroker, admin: AdminClient, name: str) -> None:
    results(admin.create_topics([NewTopic(name, 1, 1, config={"cleanup.policy": "compact"})]))
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    codes: list[int | None] = []
    producer.produce(name, b"v", key=b"k", on_delivery=lambda error, _: codes.append(error and error.code()))
    producer.flush(PATIENCE_S)
    producer.produce(name, b"v", on_delivery=lambda error, _: codes.append(error and error.code()))
    producer.flush(PATIENCE_S)
    assert codes == [None, KafkaError.INVALID_RECORD]


def test_a_compacted_topic_is_read_past_its_gaps(broker: EmbeddedBroker, admin: AdminClient, name: str) -> None:
    soon = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    results(admin.create_topics([NewTopic(name, 1, 1, config=soon)]))
    produce(broker, name, [b"%d" % index for index in range(50)], **{"compression.type": "lz4"})
    produce(broker, name, [b"void"] * 50)
    produce(broker, name, [b"last"])
    reader = consumer(broker, **{"enable.partition.eof": True})
    found: list[tuple[int, bytes]] = []

    def read_to_the_end(start: int = 0) -> None:
        found.clear()
        reader.assign([TopicPartition(name, 0, start)])
        while (message := reader.poll(PATIENCE_S)) is not None and not message.error():
            found.append((message.offset(), message.value()))
        assert message is not None
        assert message.error().code() == KafkaError._PARTITION_EOF

    wait_until(lambda: found == [(100, b"last")], read_to_the_end)
    for start in (17, 77):
        read_to_the_end(start)
        assert found == [(100, b"last")]
    reader.close()


def test_topics_are_made_grown_and_deleted(admin: AdminClient, topic: str) -> None:
    assert error_of(admin.create_topics([NewTopic(topic, 1, 1)])) == KafkaError.TOPIC_ALREADY_EXISTS
    assert error_of(admin.create_topics([NewTopic("a b", 1, 1)])) == KafkaError.TOPIC_EXCEPTION
    assert error_of(admin.create_topics([NewTopic(topic + "x", 1, 3)])) == KafkaError.INVALID_REPLICATION_FACTOR
    unknown = NewTopic(topic + "x", 1, 1, config={"no.such": "1"})
    assert error_of(admin.create_topics([unknown])) == KafkaError.INVALID_CONFIG
    assert error_of(admin.create_partitions([NewPartitions(topic, 2)])) == KafkaError.INVALID_PARTITIONS
    results(admin.create_partitions([NewPartitions(topic, 5)]))
    assert len(admin.list_topics(topic, PATIENCE_S).topics[topic].partitions) == 5
    results(admin.create_topics([NewTopic(topic + "x", 1, 1)], validate_only=True))
    results(admin.delete_topics([topic]))
    assert not {topic, topic + "x"} & set(admin.list_topics(timeout=PATIENCE_S).topics)
    assert error_of(admin.delete_topics([topic])) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_topic_made_again_is_empty_and_has_no_commits(broker: EmbeddedBroker, admin: AdminClient, topic: str) -> None:
    produce(broker, topic, [b"old"])
    reader = consumer(broker, topic)
    reader.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    results(admin.delete_topics([topic]))
    results(admin.create_topics([NewTopic(topic, 2, 1)]))
    assert reader.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE_S) == (0, 0)
    assert reader.committed([TopicPartition(topic, 0)], PATIENCE_S)[0].offset < 0
    reader.close()


def test_configs_are_told_and_changed(admin: AdminClient, topic: str) -> None:
    def told() -> dict[str, ConfigEntry]:
        found: dict[str, ConfigEntry] = results(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))[0]
        return found

    def change(key: str, value: str | None, operation: AlterConfigOpType) -> Futures:
        entry = ConfigEntry(key, value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        futures: Futures = admin.incremental_alter_configs([resource])
        return futures

    assert told()["retention.ms"].value == "604800000"
    assert told()["retention.ms"].is_default
    results(change("retention.ms", "1000", AlterConfigOpType.SET))
    results(change("cleanup.policy", "compact", AlterConfigOpType.APPEND))
    assert told()["retention.ms"].value == "1000"
    assert not told()["retention.ms"].is_default
    assert told()["cleanup.policy"].value == "delete,compact"
    results(change("retention.ms", None, AlterConfigOpType.DELETE))
    assert told()["retention.ms"].value == "604800000"
    assert error_of(change("retention.ms", "soon", AlterConfigOpType.SET)) == KafkaError.INVALID_CONFIG


def test_records_are_deleted(broker: EmbeddedBroker, admin: AdminClient, topic: str) -> None:
    produce(broker, topic, [b"%d" % index for index in range(10)])
    assert results(admin.delete_records([TopicPartition(topic, 0, 4)]))[0].low_watermark == 4
    reader = consumer(broker)
    reader.assign([TopicPartition(topic, 0, 0)])
    assert [message.offset() for message in consume(reader, 6)] == [4, 5, 6, 7, 8, 9]
    reader.close()
    earliest = admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.earliest()})
    latest_record = admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.max_timestamp()})
    assert results(earliest)[0].offset == 4
    assert results(latest_record)[0].timestamp == 1009


def test_groups_are_listed_described_and_deleted(broker: EmbeddedBroker, admin: AdminClient, topic: str) -> None:
    member = consumer(broker, topic, **{"client.id": "me", "group.instance.id": "one"})
    member.subscribe([topic])
    wait_until(lambda: bool(member.assignment()), lambda: member.poll(0.05))
    member.commit(offsets=[TopicPartition(topic, 1, 0)], asynchronous=False)
    described = results(admin.describe_consumer_groups([topic]))[0]
    assert described.state.name == "STABLE"
    assert [(each.client_id, each.group_instance_id) for each in described.members] == [("me", "one")]
    assert len(described.members[0].assignment.topic_partitions) == 2
    assert error_of(admin.delete_consumer_groups([topic])) == KafkaError.NON_EMPTY_GROUP
    member.unsubscribe()
    member.close()
    listed = admin.list_consumer_groups().result(PATIENCE_S).valid
    assert topic in {group.group_id for group in listed}
    offsets = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(topic)])
    found = results(offsets)[0].topic_partitions
    assert [(each.partition, each.offset) for each in found] == [(1, 0)]


def test_groups_without_members_are_deleted(broker: EmbeddedBroker, admin: AdminClient, topic: str) -> None:
    reader = consumer(broker, topic)
    reader.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    results(admin.delete_consumer_groups([topic]))
    assert reader.committed([TopicPartition(topic, 0)], PATIENCE_S)[0].offset < 0
    assert error_of(admin.delete_consumer_groups([topic])) == KafkaError.GROUP_ID_NOT_FOUND
    reader.close()


def test_the_cluster_describes_itself(broker: EmbeddedBroker, admin: AdminClient) -> None:
    described = admin.describe_cluster().result(PATIENCE_S)
    assert [f"{node.host}:{node.port}" for node in described.nodes] == [broker.bootstrap]
    assert described.controller.id == described.nodes[0].id
