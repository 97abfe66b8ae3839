from __future__ import annotations

from millstream.client.contract import DeliveryFailure
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from millstream.runtime import StandbyStatus, TaskStatus, WorkerStatus
from millstream.service.announcing import Announcer
from tests.runtime.fakes import FakeProducer, ManualClock


def holding(*partitions: int) -> WorkerStatus:
    return WorkerStatus(tasks=tuple(TaskStatus(f"0_{number}", "running", number) for number in partitions))


def keeping(*copies: tuple[int, int]) -> WorkerStatus:
    return WorkerStatus(standbys=tuple(StandbyStatus(f"0_{n}", n, rank, 0, 0) for n, rank in copies))


def written(producer: FakeProducer) -> list[int]:
    found = [target.partition for target, _ in producer.rows]
    producer.rows.clear()
    return found


def test_a_task_is_told_of_when_it_comes_and_when_it_comes_again():
    producer = FakeProducer()
    announcer = Announcer(lambda: producer, "app-tasks", "here:1", ManualClock())
    announcer.look(holding(0, 2))
    assert producer.rows[0] == (TopicPartition("app-tasks", 0), b'{"address":"here:1"}')
    assert written(producer) == [0, 2]
    announcer.look(holding(0, 2))
    assert written(producer) == []
    announcer.look(holding(0))
    announcer.look(holding(0, 2))
    assert written(producer) == [2]


def test_a_standby_copy_is_told_of_by_its_rank_and_again_when_that_changes():
    producer = FakeProducer()
    announcer = Announcer(lambda: producer, "app-tasks", "here:1", ManualClock())
    for status in (keeping((1, 0), (2, 1)), keeping((1, 0), (2, 0)), keeping((1, 0))):
        announcer.look(status)
    assert list(zip(written(producer), producer.keys, strict=True)) == [
        (1, b"standby:0"),
        (2, b"standby:1"),
        (2, b"standby:0"),
    ]


def test_what_was_not_written_is_written_again():
    producer = FakeProducer(room=1)
    announcer = Announcer(lambda: producer, "app-tasks", "here:1", ManualClock())
    announcer.look(holding(0, 1))
    assert written(producer) == [0], "the producer's queue was full"
    producer.failures = [DeliveryFailure(TopicPartition("app-tasks", 0), b"owner", KafkaError("no"))]
    announcer.look(holding(0, 1))
    assert written(producer) == [1]
    announcer.look(holding(0, 1))
    assert written(producer) == [0], "it had failed"


class BrokenProducer(FakeProducer):
    def poll(self, *, timeout_ms: int):
        raise KafkaError("fenced", fatal=True)


def test_a_producer_that_is_of_no_use_any_more_is_replaced():
    producers = [BrokenProducer(), FakeProducer()]
    made = iter(producers)
    announcer = Announcer(lambda: next(made), "app-tasks", "here:1", ManualClock())
    announcer.look(holding(3))
    announcer.look(holding(3))
    assert written(producers[1]) == [3]
