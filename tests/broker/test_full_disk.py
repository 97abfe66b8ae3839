"""A disk that takes no more: producers are told, readers go on, and nothing half-written is left."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from millstream.broker import EmbeddedBroker
from tests.broker.conftest import PATIENCE_S, consume

LIMIT = 100_000


def limit_files(broker: EmbeddedBroker, size: int) -> None:
    """The system refuses to let any of the broker's files grow beyond `size`."""
    assert broker._process is not None
    resource.prlimit(broker._process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_producers_are_told_and_readers_go_on(tmp_path: Path) -> None:
    outcomes: dict[bytes, int] = {}

    def send(producer: Producer, number: int, count: int) -> None:
        for index in range(count):
            value = b"%d-%d" % (number, index) + bytes(990)
            producer.produce(
                "t",
                value,
                partition=0,
                on_delivery=lambda error, message: outcomes.update({message.value(): error.code() if error else 0}),
            )
            assert producer.flush(PATIENCE_S) == 0

    with EmbeddedBroker.private(tmp_path) as broker:
        config = {"bootstrap.servers": broker.bootstrap, "log_level": 0}
        admin = AdminClient(config)
        admin.create_topics([NewTopic("t", 1, 1)])["t"].result(PATIENCE_S)
        producer = Producer({**config, "retries": 0, "linger.ms": 0})
        limit_files(broker, LIMIT)
        send(producer, 0, 120)
        limit_files(broker, resource.RLIM_INFINITY)
        send(producer, 1, 3)
        written = [value for value, code in outcomes.items() if code == 0]
        assert set(outcomes.values()) == {0, KafkaError.KAFKA_STORAGE_ERROR}
        assert 80 < len(written) < 103
        for again in (False, True):
            if again:
                broker.kill()
                broker.restart()
            reader = Consumer({**config, "group.id": "g"})
            reader.assign([TopicPartition("t", 0, 0)])
            assert [message.value() for message in consume(reader, len(written))] == written
            assert reader.get_watermark_offsets(TopicPartition("t", 0), PATIENCE_S) == (0, len(written))
            reader.close()


def test_topics_are_not_made_by_halves(tmp_path: Path) -> None:
    with EmbeddedBroker.private(tmp_path) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        limit_files(broker, 0)
        with pytest.raises(KafkaException) as raised:
            admin.create_topics([NewTopic("t", 1, 1)])["t"].result(PATIENCE_S)
        assert raised.value.args[0].code() == KafkaError.KAFKA_STORAGE_ERROR
        limit_files(broker, resource.RLIM_INFINITY)
        admin.create_topics([NewTopic("t", 1, 1)])["t"].result(PATIENCE_S)
        assert len(admin.list_topics("t", PATIENCE_S).topics["t"].partitions) == 1
