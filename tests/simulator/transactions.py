"""The transactional producer of the simulated client: each step is a few requests, asked again until it has an end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kio.schema.errors import ErrorCode

from millstream.client.contract import CommittedOffset, GroupMetadata, Step, StepDone
from millstream.errors import KafkaError
from millstream.model import OutBatch, TopicPartition
from tests.simulator import requests
from tests.simulator.host import RETRY_MS, TRANSPORT, Process
from tests.simulator.producer import Sending, SimulatedProducer, Target
from tests.simulator.records import encoded

STEP_MS = 3_000
AGAIN = frozenset(
    {
        ErrorCode.concurrent_transactions,
        ErrorCode.coordinator_not_available,
        ErrorCode.kafka_storage_error,
        ErrorCode.not_coordinator,
    }
)
FATAL = frozenset({ErrorCode.invalid_producer_epoch, ErrorCode.producer_fenced, ErrorCode.invalid_producer_id_mapping})


class SimulatedTransactionalProducer(SimulatedProducer):
    def __init__(self, process: Process, transactional_id: str, timeout_ms: int) -> None:
        super().__init__(process)
        self._id = transactional_id
        self._timeout_ms = timeout_ms
        self._step: Step | None = None
        self._until_ms = 0.0
        self._done: StepDone | None = None
        self._open = False
        self._added: set[TopicPartition] = set()
        self._adding = False
        self._with_offsets = False
        self._problem: KafkaError | None = None  # of a row: this transaction cannot be committed

    # --- the contract

    def init(self) -> None:
        self._start("init")
        self._ask(requests.init_producer(self._id, self._timeout_ms), self._initialised)

    def begin(self) -> None:
        assert not self._open, "a transaction is open"
        self._open = True

    def produce(self, batch: OutBatch) -> int:
        assert self._open, "rows outside of a transaction"
        return super().produce(batch)

    def send_offsets(self, offsets: Mapping[TopicPartition, CommittedOffset], group: GroupMetadata) -> None:
        assert self._open and isinstance(group, tuple), "offsets outside of a transaction"
        self._start("offsets")
        self._with_offsets = True
        commit = requests.txn_offset_commit(self._id, self._owner, group, offsets)
        self._ask(
            requests.add_offsets(self._id, self._owner, group[0]),
            lambda _: self._ask(commit, lambda _: self._end(None), _first_error),
        )

    def commit(self) -> None:
        self._start("commit")
        self._commit_when_flushed()

    def abort(self) -> None:
        self._start("abort")
        in_flight = any(target.queue for target in self._targets.values())
        self._targets = {
            partition: Target(next_sequence=target.next_sequence) for partition, target in self._targets.items()
        }
        self._outstanding = 0
        self._problem = None
        self._failures.clear()
        if self._added or self._adding or self._with_offsets:
            end = requests.end_transaction(self._id, self._owner, commit=False)
            self._ask(end, lambda _: self._aborted(bump=in_flight))
        else:
            self._aborted(bump=False)

    def outcome(self, *, timeout_ms: int) -> StepDone | None:
        self._send()
        if self._done is None and self._step is not None:
            if timeout_ms:
                self._process.wait(timeout_ms, lambda: self._done is not None)
            if self._done is None and self._schedule.now_ms > self._until_ms:
                self._end(_error(self._step, None, retriable=False, fatal=True))
        done, self._done = self._done, None
        return done

    def close(self) -> None:
        if self._open and self._step is None and self._process.alive and (self._added or self._with_offsets):
            self.abort()
            self._process.wait(200, lambda: self._done is not None)
        super().close()

    # --- steps

    @property
    def _owner(self) -> tuple[int, int]:
        assert self._identity is not None, "not initialised"
        return self._identity

    def _start(self, step: Step) -> None:
        assert self._step is None, f"{step}: {self._step} is under way"
        self._step, self._done = step, None
        self._until_ms = self._schedule.now_ms + STEP_MS

    def _end(self, error: KafkaError | None) -> None:
        if self._step is not None:
            self._done, self._step = StepDone(self._step, error), None
            self._process.wake()

    def _ask(
        self, request: requests.Request, then: Callable[[Any], None], code_of: Callable[[Any], ErrorCode] | None = None
    ) -> None:
        """A request of the step under way, until it is answered or the step given up."""
        step, until_ms = self._step, self._until_ms

        def answered(answer: Any) -> None:
            if self._step is not step or self._until_ms != until_ms:
                return
            code = None if answer is None else (code_of or _error_of)(answer)
            if code is ErrorCode.none:
                then(answer)
            elif code is None or code in AGAIN:
                self._process.at(RETRY_MS, lambda: self._step is step and self._connection.ask(*request, answered))
            else:
                self._schedule.tell("{}: {} fails with {}", self._connection.label, step, code.name)
                self._end(_error(step, code, retriable=False, fatal=code in FATAL))

        self._connection.ask(*request, answered)

    def _initialised(self, answer: Any) -> None:
        self._identity = (answer.producer_id, answer.producer_epoch)
        self._targets.clear()
        self._end(None)

    def _commit_when_flushed(self) -> None:
        if self._step != "commit":
            return
        if self._problem is not None:
            self._end(self._problem)
        elif self._outstanding:
            self._send()
            self._process.at(1, self._commit_when_flushed)
        elif self._added or self._with_offsets:
            self._ask(requests.end_transaction(self._id, self._owner, commit=True), lambda _: self._ended())
        else:
            self._ended()

    def _ended(self) -> None:
        self._open = self._with_offsets = False
        self._added.clear()
        self._end(None)

    def _aborted(self, *, bump: bool) -> None:
        """Nobody knows which of the rows under way had been taken: sequences begin again in a new epoch (KIP-360)."""
        self._open = self._with_offsets = False
        self._added.clear()
        if bump:
            self._ask(requests.init_producer(self._id, self._timeout_ms, self._owner), self._initialised)
        else:
            self._end(None)

    # --- rows

    def _send(self) -> None:
        if self._identity is None or self._step in {"init", "abort"}:
            return
        waiting = [each for each, target in self._targets.items() if target.queue and each not in self._added]
        if waiting:
            self._add(waiting)
        super()._send()

    def _may_write(self, partition: TopicPartition) -> bool:
        return partition in self._added

    def _encoded(self, each: Sending) -> tuple[bytes, str | None]:
        return encoded(each.rows, *self._owner, each.sequence, transactional=True), self._id

    def _add(self, partitions: list[TopicPartition]) -> None:
        if self._adding:
            return
        self._adding = True
        owner = self._owner

        def added(answer: Any) -> None:
            self._adding = False
            if not self._open or self._identity != owner or self._step == "abort":
                return
            code = None if answer is None else _added_error(answer)
            if code is ErrorCode.none:
                self._added.update(partitions)
                self._send()
            elif code is None or code in AGAIN or code is ErrorCode.unknown_topic_or_partition:
                self._process.at(RETRY_MS, self._send)
            else:
                for partition in partitions:
                    self._refuse(partition, code)

        self._connection.ask(*requests.add_partitions(self._id, owner, partitions), added)

    def _refuse(self, partition: TopicPartition, code: ErrorCode) -> None:
        target = self._targets[partition]
        if target.queue:
            self._fail(partition, target, target.queue[0], code)

    def _refusal(self, partition: TopicPartition, code: ErrorCode) -> KafkaError:
        problem = _error("commit", code, retriable=False, fatal=code in FATAL)
        self._problem = self._problem or problem
        return problem


def _error_of(answer: Any) -> ErrorCode:
    code: ErrorCode = answer.error_code
    return code


def _first_error(answer: Any) -> ErrorCode:
    codes = [each.error_code for topic in answer.topics for each in topic.partitions]
    return next((code for code in codes if code is not ErrorCode.none), ErrorCode.none)


def _added_error(answer: Any) -> ErrorCode:
    codes = [
        each.partition_error_code
        for topic in answer.results_by_topic_v3_and_below
        for each in topic.results_by_partition
    ]
    return next((code for code in codes if code is not ErrorCode.none), ErrorCode.none)


def _error(step: Step | None, code: ErrorCode | None, *, retriable: bool, fatal: bool) -> KafkaError:
    name, number = ("no answer", TRANSPORT) if code is None else (code.name, int(code))
    error = KafkaError(f"{step} of the transaction: {name}", code=number, retriable=retriable, fatal=fatal)
    error.abortable = not fatal and not retriable
    return error
