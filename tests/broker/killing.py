"""Producers that go on while the broker is killed at any moment, and what must be there in the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from millstream.broker import EmbeddedBroker
from tests.broker.conftest import PATIENCE_S, wait_until

PARTITIONS = 3
PLAIN, TRANSACTIONAL, GROUP = "plain", "transactional", "readers"
QUIET = {
    "log_level": 0,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
    "retry.backoff.ms": 20,
    "retry.backoff.max.ms": 50,
}


class Idempotent:
    """Writes its numbers, one after the other, to one partition, and notes where each was acknowledged."""

    def __init__(self, name: str, bootstrap: str, partition: int) -> None:
        self.name, self.partition = name, partition
        self.sent = 0
        self.acknowledged: dict[int, int] = {}
        self.failures: list[str] = []
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "batch.num.messages": 20, **QUIET}
        )

    def send(self, count: int) -> None:
        for _ in range(count):
            self._producer.produce(
                PLAIN, f"{self.name}:{self.sent}", partition=self.partition, on_delivery=self._delivered
            )
            self.sent += 1
        self._producer.poll(0)

    def finish(self) -> None:
        assert self._producer.flush(PATIENCE_S) == 0

    def _delivered(self, error: object, message: Message) -> None:
        if error is not None:
            self.failures.append(str(error))
            return
        _, _, number = (message.value() or b"").decode().partition(":")
        self.acknowledged[int(number)] = message.offset() or 0


@dataclass
class Transactional:
    """Writes transactions of a few records to all partitions, and notes how each ended."""

    name: str
    bootstrap: str
    random: Random
    committed: list[int] = field(default_factory=list)
    aborted: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)  # a producer that was given up while its commit was on its way
    failures: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        try:
            producer = self._new()
            number = 0
            while not stop.is_set():
                if not self._transaction(producer, number):
                    producer = self._new()
                number += 1
        except Exception as error:
            self.failures.append(repr(error))

    def size(self, number: int) -> int:
        """How many records a transaction has."""
        return 5 + number % 40

    def _new(self) -> Producer:
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "transactional.id": self.name, "batch.num.messages": 7, **QUIET}
        )
        _insist(lambda: producer.init_transactions(PATIENCE_S))
        return producer

    def _transaction(self, producer: Producer, number: int) -> bool:
        """Whether the producer can go on."""
        commit = self.random.random() < 0.7
        ending = False
        try:
            producer.begin_transaction()
            for index in range(self.size(number)):
                producer.produce(TRANSACTIONAL, f"{self.name}:{number}:{index}", partition=index % PARTITIONS)
            ending = commit
            if commit:
                _insist(lambda: producer.commit_transaction(PATIENCE_S))
            else:
                _insist(lambda: producer.abort_transaction(PATIENCE_S))
        except KafkaException as failed:
            error = failed.args[0]
            if error.txn_requires_abort():
                _insist(lambda: producer.abort_transaction(PATIENCE_S))
                self.aborted.append(number)
                return True
            assert error.fatal(), error
            (self.unknown if ending else self.aborted).append(number)
            return False
        (self.committed if commit else self.aborted).append(number)
        return True


def _insist(call: object) -> None:
    """Try again what may be tried again, within a limit."""
    for _ in range(20):
        try:
            call()  # type: ignore[operator]
        except KafkaException as failed:
            if not failed.args[0].retriable():
                raise
        else:
            return
    raise AssertionError("it never succeeds")


class Reader:
    """A member of a group that commits what it has read; its positions must never go back."""

    def __init__(self, bootstrap: str) -> None:
        self.positions: dict[int, int] = {}
        self.problems: list[str] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": GROUP,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 20_000,
                **QUIET,
            }
        )
        self._consumer.subscribe([PLAIN])

    def turn(self) -> None:
        for message in self._consumer.consume(500, 0.05):
            if message.error():
                continue
            partition, offset = message.partition() or 0, message.offset() or 0
            expected = self.positions.get(partition, 0)
            if offset != expected:
                self.problems.append(f"partition {partition}: {offset} after {expected}")
            self.positions[partition] = offset + 1
        wanted = [TopicPartition(PLAIN, number, at) for number, at in self.positions.items()]
        if wanted:
            self._consumer.commit(offsets=wanted, asynchronous=True)

    def close(self) -> None:
        """Commit for the last time, and leave."""
        wanted = [TopicPartition(PLAIN, number, at) for number, at in self.positions.items()]
        _insist(lambda: self._consumer.commit(offsets=wanted, asynchronous=False))
        self._consumer.close()


def everything(broker: EmbeddedBroker, topic: str, *, committed_only: bool) -> dict[int, list[tuple[int, str]]]:
    """(offset, value) of all records of a topic, by partition, as a new consumer finds them."""
    isolation = "read_committed" if committed_only else "read_uncommitted"
    config = {"group.id": "check", "isolation.level": isolation, "enable.partition.eof": True}
    reader = Consumer({"bootstrap.servers": broker.bootstrap, **config})
    reader.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    found: dict[int, list[tuple[int, str]]] = {partition: [] for partition in range(PARTITIONS)}
    ended: set[int] = set()

    def turn() -> None:
        for message in reader.consume(1000, 0.2):
            if message.error():
                ended.add(message.partition() or 0)
            else:
                value = (message.value() or b"").decode()
                found[message.partition() or 0].append((message.offset() or 0, value))

    wait_until(lambda: len(ended) == PARTITIONS, turn)
    reader.close()
    return found


def numbers(values: list[tuple[int, str]], name: str) -> Iterator[tuple[int, int]]:
    """(number, offset) of what one producer wrote."""
    for offset, value in values:
        who, _, number = value.partition(":")
        if who == name:
            yield int(number), offset
