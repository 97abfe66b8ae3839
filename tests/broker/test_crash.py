"""kill -9: every acknowledged record is there exactly once, and so are commits, topics, members and producer ids.

Of transactions, the committed ones are there as a whole and the others not at all.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from millstream.broker import EmbeddedBroker
from tests.broker.conftest import PATIENCE_S, consume, wait_until

PARTITIONS = 3
QUIET = {
    "log_level": 0,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
    "retry.backoff.ms": 20,
    "retry.backoff.max.ms": 50,
}


def test_acknowledged_records_are_there_exactly_once(tmp_path: Path) -> None:
    acknowledged: set[tuple[int, int, bytes]] = set()
    with EmbeddedBroker.private(tmp_path) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})
        admin.create_topics([NewTopic("t", PARTITIONS, 1)])["t"].result(PATIENCE_S)
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "batch.num.messages": 20, **QUIET}
        )
        sent = 0

        def send(count: int) -> None:
            nonlocal sent
            for _ in range(count):
                value = b"%d" % sent
                producer.produce(
                    "t",
                    value,
                    partition=sent % PARTITIONS,
                    on_delivery=lambda error, message: (
                        error or acknowledged.add((message.partition(), message.offset(), message.value()))
                    ),
                )
                sent += 1
                producer.poll(0)

        in_flight = 0
        for _ in range(3):
            before = len(acknowledged)
            send(2000)
            wait_until(lambda: len(acknowledged) > before, lambda: producer.poll(0.001))  # noqa: B023
            broker.kill()
            in_flight += len(producer)
            broker.restart()
        assert in_flight > 0, "records were on their way when the broker died"
        assert producer.flush(PATIENCE_S) == 0
        assert len(acknowledged) == sent
        assert read_all(broker, sent) == Counter(acknowledged)


def read_all(broker: EmbeddedBroker, count: int) -> Counter[tuple[int, int, bytes]]:
    """What the topic holds, to its very end."""
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "check", "auto.offset.reset": "earliest"})
    reader.assign([TopicPartition("t", partition, 0) for partition in range(PARTITIONS)])
    ends = [reader.get_watermark_offsets(TopicPartition("t", each), PATIENCE_S)[1] for each in range(PARTITIONS)]
    assert sum(ends) == count, "nothing is there twice"
    found = Counter((message.partition(), message.offset(), message.value()) for message in consume(reader, count))
    reader.close()
    return found


def test_commits_topics_and_members_are_there(tmp_path: Path) -> None:
    with EmbeddedBroker.private(tmp_path) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})
        admin.create_topics([NewTopic("t", 2, 1, config={"retention.ms": "77"})])["t"].result(PATIENCE_S)
        config = {"bootstrap.servers": broker.bootstrap, "group.id": "g", "enable.auto.commit": False, **QUIET}
        member = Consumer({**config, "session.timeout.ms": 20_000, "heartbeat.interval.ms": 100})
        lost: list[object] = []
        member.subscribe(
            ["t"], on_revoke=lambda _, parts: lost.append(parts), on_lost=lambda _, parts: lost.append(parts)
        )
        wait_until(lambda: len(member.assignment()) == 2, lambda: member.poll(0.05))
        member.commit(offsets=[TopicPartition("t", 0, 5), TopicPartition("t", 1, 6)], asynchronous=False)
        broker.kill()
        broker.restart()
        again = member.committed([TopicPartition("t", 0), TopicPartition("t", 1)], PATIENCE_S)
        assert [each.offset for each in again] == [5, 6]
        member.commit(offsets=[TopicPartition("t", 0, 7)], asynchronous=False)
        assert lost == [], "the member goes on in its generation"
        assert len(member.assignment()) == 2
        member.close()
        assert len(admin.list_topics("t", PATIENCE_S).topics["t"].partitions) == 2


def test_transactions_are_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """The broker dies while a transaction is written and while it is committed; the producer only tries again."""
    committed: list[bytes] = []
    with EmbeddedBroker.private(tmp_path) as broker, ThreadPoolExecutor(1) as aside:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})
        admin.create_topics([NewTopic("t", PARTITIONS, 1)])["t"].result(PATIENCE_S)
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap, "transactional.id": "tx", "batch.num.messages": 10, **QUIET}
        )
        producer.init_transactions(PATIENCE_S)
        for number in range(6):
            values = [b"%d-%d" % (number, index) for index in range(60)]
            producer.begin_transaction()
            for index, value in enumerate(values):
                producer.produce("t", value, partition=index % PARTITIONS)
            if number == 1:
                producer.poll(0)
                broker.kill()
                broker.restart()
            end = aside.submit(finish, producer, commit=number % 3 != 2)
            if number == 4:
                broker.kill()
                broker.restart()
            if end.result(2 * PATIENCE_S):
                committed += values
        assert {value.split(b"-")[0] for value in committed} >= {b"0", b"3"}
        assert read_committed(broker, len(committed)) == Counter(committed)


def finish(producer: Producer, *, commit: bool) -> bool:
    """Commit or abort, as often as it takes; whether it was committed."""
    while True:
        try:
            if commit:
                producer.commit_transaction(PATIENCE_S)
            else:
                producer.abort_transaction(PATIENCE_S)
        except KafkaException as raised:
            error = raised.args[0]
            assert error.retriable() or error.txn_requires_abort(), error
            commit = commit and not error.txn_requires_abort()
        else:
            return commit


def read_committed(broker: EmbeddedBroker, count: int) -> Counter[bytes]:
    """What a consumer of committed records finds, up to where the log ends for it."""
    config = {"group.id": "check", "isolation.level": "read_committed", "enable.partition.eof": True}
    reader = Consumer({"bootstrap.servers": broker.bootstrap, **config})
    reader.assign([TopicPartition("t", partition, 0) for partition in range(PARTITIONS)])
    found: Counter[bytes] = Counter()
    ended: set[int] = set()

    def turn() -> None:
        message = reader.poll(0.2)
        if message is not None and message.error():
            ended.add(message.partition())
        elif message is not None:
            found[message.value()] += 1

    wait_until(lambda: len(ended) == PARTITIONS, turn)
    reader.close()
    assert found.total() == count
    return found
