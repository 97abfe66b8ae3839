"""The feed on a real broker: topics made once, benchmarks there, every record as scheduled."""

from __future__ import annotations

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from examples.qos import simulator
from examples.qos.definitions import BENCHMARKS, REPORTS
from examples.qos.demo.ground import Ground, Offsets
from examples.qos.feed import Feed, Pace, reports_producer
from examples.qos.model import Benchmark
from examples.qos.schedule import Row, whole
from examples.qos.topics import create_topics, publish_benchmarks

from millstream.errors import BrokerUnavailableError


def test_no_broker_is_a_clear_error(monkeypatch):
    monkeypatch.setattr("examples.qos.topics.CONNECT_S", 0.5)
    with pytest.raises(BrokerUnavailableError, match=r"no broker answers at 127\.0\.0\.1:1"):
        create_topics("127.0.0.1:1")


@pytest.mark.kafka
def test_a_match_arrives_as_scheduled(apache_kafka):
    bootstrap = apache_kafka.bootstrap
    assert create_topics(bootstrap) == 4
    assert create_topics(bootstrap, partitions=9) == 4
    ground = Ground(bootstrap, "tests")
    begin = ground.ends([REPORTS, BENCHMARKS])
    ground.close()
    publish_benchmarks(bootstrap, simulator.CDNS, at_ms=1_000)
    match = simulator.Match(viewers=50, seconds=20)
    pace = Pace(1_700_000_000_000, None, 4)
    assert Feed(reports_producer(bootstrap), pace).run(simulator.events(match)).complete

    scheduled = list(whole(simulator.events(match), pace.start_ms, 4))
    arrived = read(bootstrap, REPORTS, begin, len(scheduled))
    assert arrived == [[row for row in scheduled if row.partition == partition] for partition in range(4)]
    benchmarks = read(bootstrap, BENCHMARKS, begin, len(simulator.CDNS))[0]
    assert {
        (row.key or b"").decode(): msgspec.json.decode(row.value or b"", type=Benchmark) for row in benchmarks
    } == simulator.CDNS


def read(bootstrap: str, topic: str, begin: Offsets, count: int) -> list[list[Row]]:
    """The records of a topic from there on, by partition."""
    of_topic = [TopicPartition(*at, offset) for at, offset in begin.items() if at[0] == topic]
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "test",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    rows: list[list[Row]] = [[] for _ in of_topic]
    try:
        consumer.assign(of_topic)
        while sum(map(len, rows)) < count:
            messages = consumer.consume(count, timeout=20)
            assert messages, f"{topic}: only {rows} of {count} records arrived"
            for message in messages:
                assert message.error() is None
                partition = message.partition()
                rows[partition].append(Row(partition, message.timestamp()[1], message.key(), message.value()))
    finally:
        consumer.close()
    return rows
