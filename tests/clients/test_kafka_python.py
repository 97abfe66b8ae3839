"""kafka-python's own ways, on either broker: producers, groups, transactions, administration."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import UnknownTopicOrPartitionError
from kafka.structs import OffsetAndMetadata

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

PATIENCE_MS = 20_000
PARTITIONS = 3


@pytest.fixture
def name() -> str:
    return f"kafka-python-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def admin(any_broker: str) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=any_broker)
    yield client
    client.close()


@pytest.fixture
def topic(admin: KafkaAdminClient, name: str) -> Iterator[str]:
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    yield name
    admin.delete_topics([name])


def read(bootstrap: str, topic: str, count: int, **config: object) -> list[tuple[int, bytes | None, bytes]]:
    """(partition, key, value) of the first records, sorted."""
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": PATIENCE_MS, "group_id": None, **config}
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, **settings)
    found = []
    for message in consumer:
        found.append((message.partition, message.key, message.value))
        if len(found) == count:
            break
    consumer.close()
    return sorted(found, key=repr)


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_records_go_round_with_every_codec(any_broker: str, topic: str, codec: str | None) -> None:
    producer = KafkaProducer(bootstrap_servers=any_broker, compression_type=codec, acks="all", linger_ms=5)
    sent = []
    for number in range(50):
        told = producer.send(
            topic, key=b"k%d" % number, value=b"v" * number, headers=[("h", b"1")], timestamp_ms=number + 1
        )
        sent.append((told, b"k%d" % number, b"v" * number))
    producer.flush(PATIENCE_MS / 1000)
    wanted = sorted(((told.get(1).partition, key, value) for told, key, value in sent), key=repr)
    producer.close()
    assert read(any_broker, topic, 50) == wanted


def test_a_group_commits_and_goes_on(any_broker: str, topic: str, name: str) -> None:
    producer = KafkaProducer(bootstrap_servers=any_broker)
    for number in range(9):
        producer.send(topic, b"%d" % number, partition=number % PARTITIONS)
    producer.flush(PATIENCE_MS / 1000)
    config = {"group_id": name, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    first = KafkaConsumer(topic, bootstrap_servers=any_broker, consumer_timeout_ms=PATIENCE_MS, **config)
    taken = [next(first) for _ in range(4)]
    ends = {TopicPartition(topic, each.partition): OffsetAndMetadata(each.offset + 1, "here", -1) for each in taken}
    first.commit(ends)
    first.close()
    rest = read(any_broker, topic, 5, **config)
    assert sorted([*(each.value for each in taken), *(value for _, _, value in rest)]) == [b"%d" % n for n in range(9)]
    producer.close()


def test_two_members_share_a_topic(any_broker: str, topic: str, name: str) -> None:
    config = {"bootstrap_servers": any_broker, "group_id": name, "heartbeat_interval_ms": 100}
    members = [KafkaConsumer(topic, **config) for _ in range(2)]
    for _ in range(400):
        for member in members:
            member.poll(timeout_ms=50)
        owned = [member.assignment() for member in members]
        if all(owned) and sum(map(len, owned)) == PARTITIONS:
            break
    assert not owned[0] & owned[1]
    assert len(owned[0] | owned[1]) == PARTITIONS
    for member in members:
        member.close()


def test_transactions(any_broker: str, topic: str, name: str) -> None:
    producer = KafkaProducer(bootstrap_servers=any_broker, transactional_id=name)
    producer.init_transactions()
    for value, end in ((b"gone", producer.abort_transaction), (b"kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.send(topic, value, partition=0)
        producer.send_offsets_to_transaction({TopicPartition(topic, 1): OffsetAndMetadata(7, value.decode(), -1)}, name)
        end()
    producer.close()
    assert read(any_broker, topic, 1, isolation_level="read_committed") == [(0, None, b"kept")]
    consumer = KafkaConsumer(bootstrap_servers=any_broker, group_id=name)
    assert consumer.committed(TopicPartition(topic, 1), metadata=True).metadata == "kept"
    consumer.close()


def test_offsets_by_time_and_ends(any_broker: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=any_broker)
    for stamp in (1_000, 2_000, 3_000):
        producer.send(topic, b"v", partition=0, timestamp_ms=stamp)
    producer.flush(PATIENCE_MS / 1000)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=any_broker)
    place = TopicPartition(topic, 0)
    assert consumer.beginning_offsets([place]) == {place: 0}
    assert consumer.end_offsets([place]) == {place: 3}
    found = consumer.offsets_for_times({place: 1_500})[place]
    assert (found.offset, found.timestamp) == (1, 2_000)
    assert consumer.offsets_for_times({place: 9_000}) == {place: None}
    consumer.close()


def test_administration(admin: KafkaAdminClient, topic: str) -> None:
    assert topic in admin.list_topics()
    admin.create_partitions({topic: NewPartitions(PARTITIONS + 2)})
    [described] = admin.describe_topics([topic])
    assert len(described["partitions"]) == PARTITIONS + 2
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "1234"})
    admin.alter_configs([resource])
    assert "1234" in str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
    assert "cluster_id" in admin.describe_cluster()


def test_an_unknown_topic_is_told(admin: KafkaAdminClient, name: str) -> None:
    with pytest.raises(UnknownTopicOrPartitionError):
        admin.delete_topics([name])
