"""The Apache Kafka that other tests run on."""

from __future__ import annotations

from tests.kafka.apache import ApacheKafka
from tests.kafka.records import consume, produce


def test_it_keeps_what_a_group_then_reads(apache_kafka: ApacheKafka) -> None:
    produce(apache_kafka.bootstrap, "apache-smoke", [b"one", b"two", b"three"])
    assert consume(apache_kafka.bootstrap, "apache-smoke", 3) == [b"one", b"two", b"three"]


def test_data_and_address_outlive_a_restart_and_a_crash(apache_kafka: ApacheKafka) -> None:
    before = apache_kafka.bootstrap
    produce(before, "apache-restart", [b"before"])
    apache_kafka.restart()
    produce(before, "apache-restart", [b"between"])
    apache_kafka.restart(kill=True)
    produce(before, "apache-restart", [b"after"])
    assert apache_kafka.bootstrap == before
    assert consume(before, "apache-restart", 3) == [b"before", b"between", b"after"]
