"""Rounds of kill -9 under four idempotent and two transactional producers and a reading group.

Every acknowledged record is there exactly once and in order, at the offset that was told; offsets are contiguous; of
transactions the committed ones are there as a whole, and no aborted one is visible; the group goes on where it was.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from millstream.broker import EmbeddedBroker
from tests.broker.conftest import PATIENCE_S, wait_until
from tests.broker.killing import (
    GROUP,
    PARTITIONS,
    PLAIN,
    QUIET,
    TRANSACTIONAL,
    Idempotent,
    Reader,
    Transactional,
    everything,
    numbers,
)

SEED = 20261127


@pytest.mark.timeout(180)
def test_ten_rounds(tmp_path: Path) -> None:
    rounds_of_kill_9(tmp_path, 10)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_hundred_rounds(tmp_path: Path) -> None:
    rounds_of_kill_9(tmp_path, 100)


class Load:
    """All that goes on while the broker is killed."""

    def __init__(self, bootstrap: str) -> None:
        self.random = Random(SEED)
        self.writers = [Idempotent(f"p{number}", bootstrap, number % PARTITIONS) for number in range(4)]
        self.others = [Transactional(f"t{number}", bootstrap, Random(SEED + number)) for number in range(2)]
        self.reader = Reader(bootstrap)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each.run, args=(self._stop,)) for each in self.others]
        for thread in self._threads:
            thread.start()

    def progress(self) -> tuple[int, int]:
        """Records acknowledged, and transactions committed."""
        failed = any(each.failures for each in self.others)
        committed = 10**9 if failed else sum(len(each.committed) for each in self.others)
        return sum(len(each.acknowledged) for each in self.writers), committed

    def go_on(self) -> None:
        """Until so much more is acknowledged and committed; then leave a lot on its way."""
        acknowledged, committed = self.progress()
        acknowledged, committed = acknowledged + self.random.randint(1, 2_000), committed + self.random.randint(0, 3)

        def done() -> bool:
            now = self.progress()
            return now[0] >= acknowledged and now[1] >= committed

        wait_until(done, self.turn)
        self._send(200)

    def turn(self) -> None:
        self._send(60)
        self.reader.turn()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(3 * PATIENCE_S)
        assert not any(thread.is_alive() for thread in self._threads)

    def _send(self, most: int) -> None:
        for each in self.writers:
            each.send(self.random.randint(0, most))


def rounds_of_kill_9(data: Path, rounds: int) -> None:
    with EmbeddedBroker.private(data) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})
        config = {"retention.ms": "-1", "segment.bytes": "100000"}
        topics = [NewTopic(topic, PARTITIONS, 1, config=config) for topic in (PLAIN, TRANSACTIONAL)]
        for made in admin.create_topics(topics).values():
            made.result(PATIENCE_S)
        load = Load(broker.bootstrap)
        try:
            for _ in range(rounds):
                load.go_on()
                broker.kill()
                broker.restart()
        finally:
            load.stop()
        for each in load.writers:
            each.finish()
        assert [each.failures for each in (*load.writers, *load.others)] == [[]] * 6
        check_idempotent(broker, load.writers)
        check_transactions(broker, load.others)
        check_group(broker, load.reader, load.writers)


def check_idempotent(broker: EmbeddedBroker, writers: list[Idempotent]) -> None:
    found = everything(broker, PLAIN, committed_only=False)
    for partition, values in found.items():
        assert [offset for offset, _ in values] == list(range(len(values))), f"offsets of {partition} are contiguous"
    for each in writers:
        there = list(numbers(found[each.partition], each.name))
        assert [number for number, _ in there] == list(range(each.sent)), "exactly once, and in order"
        assert dict(there) == each.acknowledged, "where it was told to be"


def check_transactions(broker: EmbeddedBroker, others: list[Transactional]) -> None:
    found: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for values in everything(broker, TRANSACTIONAL, committed_only=True).values():
        for _, value in values:
            name, number, index = value.split(":")
            found[name][int(number)].append(int(index))
    for each in others:
        assert len(each.committed) > 1
        there = found[each.name]
        for number in each.committed:
            assert sorted(there.pop(number, [])) == list(range(each.size(number))), f"{each.name} {number} is whole"
        for number in each.unknown:
            indexes = sorted(there.pop(number, []))
            assert indexes in ([], list(range(each.size(number)))), f"{each.name} {number} is whole or not there"
        assert not there, "no aborted one is visible"


def check_group(broker: EmbeddedBroker, reader: Reader, writers: list[Idempotent]) -> None:
    total = sum(each.sent for each in writers)
    wait_until(lambda: sum(reader.positions.values()) == total, reader.turn)
    assert reader.problems == [], "it reads on where it was"
    reader.close()
    asking = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": GROUP})
    stored = asking.committed([TopicPartition(PLAIN, number) for number in range(PARTITIONS)], PATIENCE_S)
    assert {each.partition: each.offset for each in stored} == reader.positions
    asking.close()
