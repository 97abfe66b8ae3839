"""The producer of a worker under exactly-once, and the one transaction that everything it writes belongs to."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TypeAlias

from millstream.client.contract import (
    CommittedOffset,
    Delivered,
    GroupMetadata,
    StepDone,
    TransactionalProducer,
)
from millstream.errors import KafkaError
from millstream.model import OutBatch, TopicPartition
from millstream.runtime.clock import Clock

Procedure: TypeAlias = Generator[None, None, None]

RETRY_MS = 100


class Transaction:
    """A producer whose first row begins a transaction. Steps are procedures: each `yield` waits for the worker's loop.

    They raise KafkaError; what is to be done about it, `recovery.remedy` tells.
    """

    def __init__(self, make: Callable[[], TransactionalProducer], clock: Clock, limit_ms: int) -> None:
        self._make = make
        self._clock = clock
        self._limit_ms = limit_ms
        self._producer = make()
        self._initialised = False
        self._under_way = False  # a step was started, and its outcome has not been taken
        self._done: StepDone | None = None
        self.open = False

    # --- as a producer

    def produce(self, batch: OutBatch) -> int:
        self.begin()
        return self._producer.produce(batch)

    def poll(self, *, timeout_ms: int) -> Delivered:
        return self._producer.poll(timeout_ms=timeout_ms)

    def outstanding(self) -> int:
        return self._producer.outstanding()

    def close(self) -> None:
        self._producer.close()

    # --- steps

    def start(self) -> Procedure:
        """Take over the transactional id: what an earlier worker left open under it is ended."""
        yield from self._step(lambda producer: producer.init())
        self._initialised = True

    def begin(self) -> None:
        if not self.open:
            self._producer.begin()
            self.open = True

    def send_offsets(self, offsets: Mapping[TopicPartition, CommittedOffset], group: GroupMetadata) -> Procedure:
        """Make the offsets a part of the transaction, or fail because the group has gone on (rule X5)."""
        self.begin()
        yield from self._step(lambda producer: producer.send_offsets(offsets, group))

    def commit(self) -> Procedure:
        yield from self._step(lambda producer: producer.commit())
        self.open = False

    def abort(self) -> Procedure:
        """Abort what is open. A step that was given up is waited for before; a commit may turn out to be done."""
        if self._under_way:
            last = yield from self._outcome()
            if last.error is not None and last.error.fatal:
                raise last.error
            if last.error is None and last.step == "commit":
                self.open = False
            if last.error is None and last.step == "init":
                self._initialised = True
        if not self._initialised:
            yield from self.start()
        if self.open:
            yield from self._step(lambda producer: producer.abort())
            self.open = False

    def replace(self) -> None:
        """Another producer with the same id; `start` is to follow, and ends what this one left open."""
        self._producer.close()
        self._producer = self._make()
        self._initialised = self._under_way = self.open = False
        self._done = None

    def wait(self, timeout_ms: int) -> bool:
        """Wait a little for the step under way; False when there is none."""
        if self._under_way and self._done is None:
            self._done = self._producer.outcome(timeout_ms=timeout_ms)
            return True
        return False

    def _step(self, start: Callable[[TransactionalProducer], None]) -> Procedure:
        until = self._clock.monotonic_ms() + self._limit_ms
        while True:
            start(self._producer)
            self._under_way = True
            error = (yield from self._outcome()).error
            if error is None:
                return
            if not error.retriable or self._clock.monotonic_ms() > until:
                raise error
            retry_at = self._clock.monotonic_ms() + RETRY_MS
            while self._clock.monotonic_ms() < retry_at:
                yield

    def _outcome(self) -> Generator[None, None, StepDone]:
        """What became of the step under way. The client's watchdog sees to it that something does."""
        while (done := self._done or self._producer.outcome(timeout_ms=0)) is None:
            yield
        self._done, self._under_way = None, False
        return done


def not_a_member() -> KafkaError:
    """The worker is not in the group at the moment, so that its tasks may be someone else's."""
    return KafkaError("this worker is not a member of the group at the moment", code=25, abortable=True)
