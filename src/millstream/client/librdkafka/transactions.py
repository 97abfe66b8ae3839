"""The transactional producer: librdkafka's waiting calls in a thread of their own, under a watchdog."""

from __future__ import annotations

import queue
import threading
import time
import warnings
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as RdTopicPartition

from millstream.client.contract import CommittedOffset, GroupMetadata, Step, StepDone
from millstream.client.librdkafka.failures import raised
from millstream.client.librdkafka.producer import LibrdkafkaProducer
from millstream.errors import KafkaError
from millstream.model import TopicPartition

STEP_S = 10.0
# librdkafka's send_offsets_to_transaction may never return once Metadata has listed no broker, whatever its timeout.
WATCHDOG_S = 25.0
CLOSE_LIMIT_S = 2.0

DOING: dict[Step, str] = {
    "init": "initialising transactions",
    "offsets": "sending offsets to the transaction",
    "commit": "committing the transaction",
    "abort": "aborting the transaction",
}


class LibrdkafkaTransactionalProducer(LibrdkafkaProducer):
    """A producer whose steps are started, then asked after.

    One thread makes the calls. It is a daemon: one that hangs in librdkafka is left behind with its producer.
    """

    transactional = True

    def __init__(self, properties: Mapping[str, object]) -> None:
        super().__init__(properties)
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[KafkaError | None] = queue.SimpleQueue()
        self._under_way: Step | None = None
        self._give_up_at = 0.0
        self._begun = False
        self._hangs = False
        self._thread = threading.Thread(target=self._work, name="millstream-transactions", daemon=True)
        self._thread.start()

    def init(self) -> None:
        self._start("init", lambda: self._producer.init_transactions(STEP_S))

    def begin(self) -> None:
        try:
            self._producer.begin_transaction()
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, "beginning a transaction") from failed
        self._begun = True

    def send_offsets(self, offsets: Mapping[TopicPartition, CommittedOffset], group: GroupMetadata) -> None:
        wanted = [RdTopicPartition(*source, at.offset, at.metadata) for source, at in offsets.items()]
        self._start("offsets", lambda: self._producer.send_offsets_to_transaction(wanted, group, STEP_S))

    def commit(self) -> None:
        self._start("commit", lambda: self._producer.commit_transaction(STEP_S))

    def abort(self) -> None:
        self._waves.clear()
        self._start("abort", lambda: self._producer.abort_transaction(STEP_S))

    def outcome(self, *, timeout_ms: int) -> StepDone | None:
        step = self._under_way
        if step is None:
            return None
        try:
            error = self._results.get(timeout=timeout_ms / 1000) if timeout_ms else self._results.get_nowait()
        except queue.Empty:
            if time.monotonic() < self._give_up_at:
                return None
            self._hangs = True
            error = KafkaError(
                f"{DOING[step]}: librdkafka has not come back for {WATCHDOG_S:g} s",
                code=RdKafkaError._TIMED_OUT,
                fatal=True,
            )
        self._under_way = None
        if error is None and step in ("commit", "abort"):
            self._begun = False
        return StepDone(step, error)

    def close(self) -> None:
        """Within a few seconds, whatever librdkafka does."""
        if not self._hangs:
            if self._begun:
                self._calls.put(lambda: self._producer.abort_transaction(CLOSE_LIMIT_S))
            self._calls.put(self._close)
            self._calls.put(None)
            self._thread.join(3 * CLOSE_LIMIT_S)

    def _close(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a producer that was fenced has nothing left to abort
            super().close()

    def _start(self, step: Step, call: Callable[[], object]) -> None:
        if self._under_way is not None:
            raise KafkaError(f"{DOING[step]}: {DOING[self._under_way]} is still under way", code=RdKafkaError._STATE)
        self._under_way = step
        self._give_up_at = time.monotonic() + WATCHDOG_S
        self._calls.put(lambda: self._results.put(_outcome(step, call)))

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except (KafkaException, RuntimeError):
                continue  # of the last abort, which nobody asks after


def _outcome(step: Step, call: Callable[[], object]) -> KafkaError | None:
    try:
        call()
    except (KafkaException, RuntimeError, ValueError) as failed:
        error = raised(failed, DOING[step])
        # Only librdkafka knows whether the step may be repeated: the code of a lost row is that of a lost connection.
        told = failed.args[0] if failed.args else None
        error.abortable = isinstance(told, RdKafkaError) and told.txn_requires_abort()
        error.retriable = isinstance(told, RdKafkaError) and told.retriable() and not error.abortable
        return error
    return None
