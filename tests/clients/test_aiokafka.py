"""aiokafka's own ways, on either broker: producers, groups, transactions, administration."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PATIENCE_S = 20.0
PARTITIONS = 3


@pytest.fixture
def name() -> str:
    return f"aiokafka-{uuid.uuid4().hex[:10]}"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 3 * PATIENCE_S))


async def make(bootstrap: str, topic: str) -> None:
    """A topic, and see that it is listed: by Apache Kafka a moment later."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
        assert answer.topic_errors[0][1] == 0
        async with asyncio.timeout(PATIENCE_S):
            while topic not in await admin.list_topics():
                await asyncio.sleep(0.01)
    finally:
        await admin.close()


async def read(consumer: AIOKafkaConsumer, count: int) -> list[bytes]:
    return [(await asyncio.wait_for(consumer.getone(), PATIENCE_S)).value for _ in range(count)]


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_records_go_round_with_every_codec(any_broker: str, name: str, codec: str | None) -> None:
    async def scenario() -> None:
        await make(any_broker, name)
        async with AIOKafkaProducer(
            bootstrap_servers=any_broker, compression_type=codec, enable_idempotence=True
        ) as producer:
            for number in range(50):
                await producer.send(name, b"%d" % number, key=b"k", timestamp_ms=number + 1, headers=[("h", b"1")])
            await producer.flush()
        async with AIOKafkaConsumer(name, bootstrap_servers=any_broker, auto_offset_reset="earliest") as consumer:
            assert await read(consumer, 50) == [b"%d" % number for number in range(50)]

    run(scenario())


def test_a_group_commits_and_goes_on(any_broker: str, name: str) -> None:
    async def scenario() -> None:
        await make(any_broker, name)
        async with AIOKafkaProducer(bootstrap_servers=any_broker) as producer:
            for number in range(6):
                await producer.send_and_wait(name, b"%d" % number, partition=0)
        config = {"bootstrap_servers": any_broker, "group_id": name, "auto_offset_reset": "earliest"}
        async with AIOKafkaConsumer(name, enable_auto_commit=False, **config) as first:
            assert await read(first, 2) == [b"0", b"1"]
            await first.commit({TopicPartition(name, 0): 2})
        async with AIOKafkaConsumer(name, enable_auto_commit=False, **config) as second:
            assert await read(second, 4) == [b"2", b"3", b"4", b"5"]
            assert await second.committed(TopicPartition(name, 0)) == 2

    run(scenario())


def test_two_members_share_a_topic(any_broker: str, name: str) -> None:
    async def scenario() -> None:
        await make(any_broker, name)
        config = {"bootstrap_servers": any_broker, "group_id": name, "heartbeat_interval_ms": 100}
        async with AIOKafkaConsumer(name, **config) as one, AIOKafkaConsumer(name, **config) as other:
            for _ in range(400):
                await asyncio.gather(one.getmany(timeout_ms=50), other.getmany(timeout_ms=50))
                if one.assignment() and other.assignment():
                    break
            assert not one.assignment() & other.assignment()
            assert len(one.assignment() | other.assignment()) == PARTITIONS

    run(scenario())


def test_transactions(any_broker: str, name: str) -> None:
    async def scenario() -> None:
        await make(any_broker, name)
        async with AIOKafkaProducer(bootstrap_servers=any_broker, transactional_id=name) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(name, b"gone", partition=0)
            await producer.abort_transaction()
            async with producer.transaction():
                await producer.send_and_wait(name, b"kept", partition=0)
                await producer.send_offsets_to_transaction({TopicPartition(name, 1): 7}, name)
        config = {"bootstrap_servers": any_broker, "auto_offset_reset": "earliest"}
        async with AIOKafkaConsumer(name, isolation_level="read_committed", group_id=name, **config) as consumer:
            assert await read(consumer, 1) == [b"kept"]
            assert await consumer.committed(TopicPartition(name, 1)) == 7

    run(scenario())


def test_offsets_by_time_and_ends(any_broker: str, name: str) -> None:
    async def scenario() -> None:
        await make(any_broker, name)
        place = TopicPartition(name, 0)
        async with AIOKafkaProducer(bootstrap_servers=any_broker) as producer:
            for stamp in (1_000, 2_000, 3_000):
                await producer.send_and_wait(name, b"v", partition=0, timestamp_ms=stamp)
        async with AIOKafkaConsumer(bootstrap_servers=any_broker) as consumer:
            assert await consumer.end_offsets([place]) == {place: 3}
            found = (await consumer.offsets_for_times({place: 1_500}))[place]
            assert (found.offset, found.timestamp) == (1, 2_000)
            consumer.assign([place])
            consumer.seek(place, 1)
            assert (await asyncio.wait_for(consumer.getone(), PATIENCE_S)).offset == 1

    run(scenario())
