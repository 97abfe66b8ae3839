"""The idempotent producer of the simulated client: batches in flight, sent again in order until acknowledged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from kio.schema.errors import ErrorCode

from millstream.client.contract import Delivered, DeliveryFailure
from millstream.errors import KafkaError
from millstream.model import OutBatch, TopicPartition
from tests.simulator import requests
from tests.simulator.host import RETRY_MS, Process
from tests.simulator.records import encoded

IN_FLIGHT = 3
RETRIABLE = frozenset(
    {
        ErrorCode.kafka_storage_error,
        ErrorCode.unknown_topic_or_partition,
        ErrorCode.coordinator_not_available,
        ErrorCode.concurrent_transactions,
    }
)


@dataclass(slots=True, eq=False)
class Sending:
    rows: OutBatch
    sequence: int
    sent: bool = False


@dataclass(slots=True)
class Target:
    """One partition: rows in the order in which they must be written, the first of them perhaps on their way."""

    queue: deque[Sending] = field(default_factory=deque)
    next_sequence: int = 0
    waits: bool = False


class SimulatedProducer:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._schedule = process.schedule
        self._connection = process.connect("producer")
        self._targets: dict[TopicPartition, Target] = {}
        self._identity: tuple[int, int] | None = None
        self._asking = False
        self._outstanding = 0
        self._acknowledged = 0
        self._failures: list[DeliveryFailure] = []
        self._room = self._schedule.chance.choice((5, 50, 10_000))

    # --- the contract

    def produce(self, batch: OutBatch) -> int:
        taken = min(len(batch), self._room - self._outstanding)
        position = 0
        while position < taken:
            size = min(taken - position, self._schedule.chance.randint(1, 6))
            self._queue(_slice(batch, position, position + size))
            position += size
        self._outstanding += taken
        if self._schedule.often(0.5):  # else with the next poll: a real one lingers, too
            self._send()
        return taken

    def poll(self, *, timeout_ms: int) -> Delivered:
        if self._schedule.often(0.2):
            self._process.pause(self._schedule.chance.random() * 0.2)
        self._send()
        if timeout_ms and self._outstanding and not self._news():
            self._process.wait(timeout_ms, self._news)
        acknowledged, self._acknowledged = self._acknowledged, 0
        failures, self._failures = self._failures, []
        return Delivered(acknowledged, failures)

    def outstanding(self) -> int:
        return self._outstanding + len(self._failures)

    def close(self) -> None:
        self._connection.close()
        self._targets.clear()

    # --- on its way

    def _news(self) -> bool:
        return bool(self._acknowledged or self._failures)

    def _queue(self, rows: OutBatch) -> None:
        target = self._targets.setdefault(rows.target, Target())
        target.queue.append(Sending(rows, target.next_sequence))
        target.next_sequence += len(rows)

    def _send(self) -> None:
        if self._identity is None:
            self._initialize()
            return
        for partition, target in self._targets.items():
            if target.waits or not self._may_write(partition):
                continue
            in_flight = sum(each.sent for each in target.queue)
            for each in list(target.queue)[in_flight:IN_FLIGHT]:
                each.sent = True
                self._write(partition, each)

    def _write(self, partition: TopicPartition, each: Sending) -> None:
        records, transactional_id = self._encoded(each)
        request = requests.produce(partition, records, transactional_id)
        self._connection.ask(*request, lambda answer: self._written(partition, each, answer))

    def _may_write(self, partition: TopicPartition) -> bool:
        del partition
        return True

    def _encoded(self, each: Sending) -> tuple[bytes, str | None]:
        assert self._identity is not None
        return encoded(each.rows, *self._identity, each.sequence), None

    def _initialize(self) -> None:
        if self._asking:
            return
        self._asking = True

        def answered(answer: Any) -> None:
            self._asking = False
            if answer is None or answer.error_code is not ErrorCode.none:
                self._process.at(RETRY_MS, self._send)
                return
            self._identity = (answer.producer_id, answer.producer_epoch)
            self._send()

        self._connection.ask(*requests.init_producer(None, 60_000), answered)

    def _written(self, partition: TopicPartition, each: Sending, answer: Any) -> None:
        target = self._targets.get(partition)
        if target is None or not any(each is one for one in target.queue):
            return
        code = None if answer is None else answer.topics[0].partitions[0].error_code
        if code in {ErrorCode.none, ErrorCode.duplicate_sequence_number}:
            # What came before it is in the log too: the broker takes sequences in order only.
            done = None
            while done is not each:
                done = target.queue.popleft()
                self._outstanding -= len(done.rows)
                self._acknowledged += len(done.rows)
            self._process.wake()
            self._send()
        elif code is None or code in RETRIABLE or (code is _GAP and target.queue[0] is not each):
            self._again(target)
        else:
            self._fail(partition, target, each, code)

    def _again(self, target: Target) -> None:
        """Everything from the first on, in order, after a little while."""
        for each in target.queue:
            each.sent = False
        if not target.waits:
            target.waits = True

            def go_on() -> None:
                target.waits = False
                self._send()

            self._process.at(RETRY_MS, go_on)

    def _fail(self, partition: TopicPartition, target: Target, each: Sending, code: ErrorCode) -> None:
        self._schedule.tell("{}: {} is refused: {}", self._connection.label, partition, code.name)
        target.queue.remove(each)
        self._outstanding -= len(each.rows)
        self._failures.append(DeliveryFailure(partition, each.rows.keys[0], self._refusal(partition, code)))
        self._process.wake()

    def _refusal(self, partition: TopicPartition, code: ErrorCode) -> KafkaError:
        return KafkaError(f"writing to {partition}: {code.name}", code=int(code), fatal=True)


_GAP = ErrorCode.out_of_order_sequence_number


def _slice(batch: OutBatch, begin: int, end: int) -> OutBatch:
    return OutBatch(batch.target, batch.timestamps[begin:end], batch.keys[begin:end], batch.values[begin:end])
