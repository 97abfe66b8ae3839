from __future__ import annotations

import pytest

from millstream.client.contract import TopicSpec
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.errors import BrokerUnavailableError, ConfigError, KafkaError
from tests.client.brokers import unique
from tests.client.until import until


def test_created_topics_are_counted(client):
    admin = client.admin()
    first, second = unique("one"), unique("two")
    admin.create_topics([TopicSpec(first, 1, {}), TopicSpec(second, 5, {"retention.ms": "-1"})], timeout_ms=10_000)
    counts = admin.partition_counts(timeout_ms=5_000)
    assert (counts[first], counts[second]) == (1, 5)
    admin.close()


def test_a_topic_that_exists_is_left_alone(client, new_topic):
    topic = new_topic(partitions=2)
    admin = client.admin()
    admin.create_topics([TopicSpec(topic, 7, {})], timeout_ms=10_000)
    assert admin.partition_counts(timeout_ms=5_000)[topic] == 2
    admin.close()


def test_a_topic_made_anew_has_another_id(client, new_topic):
    topic, other = new_topic(partitions=1), new_topic(partitions=1)
    admin = client.admin()
    first = admin.topic_ids([topic, other], timeout_ms=10_000)
    assert len({first[topic], first[other]}) == 2
    assert admin.topic_ids([topic], timeout_ms=10_000) == {topic: first[topic]}
    assert admin.topic_ids([], timeout_ms=10_000) == {}
    with pytest.raises(KafkaError, match="asking for the id of topic nowhere"):
        admin.topic_ids(["nowhere"], timeout_ms=300)
    for future in admin._client.delete_topics([topic]).values():
        future.result()

    def made_anew() -> bool:
        admin.create_topics([TopicSpec(topic, 1, {})], timeout_ms=10_000)
        return admin.topic_ids([topic], timeout_ms=10_000)[topic] != first[topic]

    until(made_anew)
    admin.close()


def test_a_refused_topic_is_named(client):
    admin = client.admin()
    with pytest.raises(KafkaError, match="creating topic bad/name"):
        admin.create_topics([TopicSpec("bad/name", 1, {})], timeout_ms=10_000)
    admin.close()


def test_no_broker_is_one_clear_line():
    admin = LibrdkafkaClient("127.0.0.1:1", unavailable_after_ms=300).admin()
    with pytest.raises(BrokerUnavailableError) as caught:
        admin.partition_counts(timeout_ms=60_000)
    admin.close()
    text = str(caught.value)
    assert "no Kafka broker answers at 127.0.0.1:1 within 0.3 s" in text
    assert "\n" not in text
    assert caught.value.exit_status == 2


def test_no_broker_prints_nothing(capfd):
    test_no_broker_is_one_clear_line()
    assert capfd.readouterr() == ("", "")


def test_an_unknown_property_is_a_config_error():
    with pytest.raises(ConfigError, match="bogus"):
        LibrdkafkaClient("127.0.0.1:1", consumer={"bogus": 1}).data_consumer("test")


def test_the_runtimes_own_properties_are_refused():
    with pytest.raises(ConfigError, match=r"consumer=.*group\.id"):
        LibrdkafkaClient("127.0.0.1:1", consumer={"group.id": "mine"})


def test_secrets_are_not_shown():
    secret = {"sasl.password": "hunter2", "sasl.username": "me", "security.protocol": "hunter2"}
    client = LibrdkafkaClient("127.0.0.1:1", common=secret)
    with pytest.raises(ConfigError) as caught:
        client.producer()
    assert "hunter2" not in f"{caught.value} {client!r} {caught.value.__cause__!r}"
