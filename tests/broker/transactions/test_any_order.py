"""Whatever producers do, and whenever the broker dies: readers see the committed records, all of them and no others."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from kio.schema.errors import ErrorCode

from millstream.broker.transactions.transaction import State
from tests.broker.core import Core
from tests.broker.transactions.client import SecondVersionProducer, TransactionalProducer, committed_values
from tests.broker.transactions.test_coordinator import killed_before_write

PARTITIONS = 2
TIMEOUT_MS = 5_000
SECOND = 1
"""The producer whose transactions are of version 2."""
PRODUCERS = st.integers(0, 1)
OK = ErrorCode.none


class AnyOrder(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.core = Core(self.folder)
        self.core.broker.partitions.add(self.core.broker.catalogue.create("t", PARTITIONS, {}))
        self.producers = [
            TransactionalProducer(self.core, "tx-0", TIMEOUT_MS),
            SecondVersionProducer(self.core, "tx-1", TIMEOUT_MS),
        ]
        self.written: list[list[tuple[int, bytes]]] = [[], []]
        self.committed: set[tuple[int, bytes]] = set()
        self.count = 0
        for producer in self.producers:
            assert producer.init() is OK

    @rule(which=PRODUCERS, partition=st.integers(0, PARTITIONS - 1))
    def write(self, which: int, partition: int) -> None:
        value = self.count.to_bytes(2, "big")
        self.count += 1
        code = self.producers[which].write(partition, value)
        if code is OK:
            self.written[which].append((partition, value))
        else:
            self._fenced(which, code)

    @rule(which=PRODUCERS, commit=st.booleans())
    def end(self, which: int, commit: bool) -> None:
        self._ended(which, self.producers[which].end(commit=commit), commit)

    @rule(which=PRODUCERS, commit=st.booleans(), writes=st.integers(0, 4))
    def end_and_die(self, which: int, commit: bool, writes: int) -> None:
        """The answer is lost, and the producer asks again."""
        producer = self.producers[which]
        known = producer.producer_id, producer.epoch, producer.sequences
        with killed_before_write(writes):
            producer.end(commit=commit)
        producer.producer_id, producer.epoch, producer.sequences = known
        self.restart()
        self._ended(which, self.producers[which].end(commit=commit), commit)

    @rule(which=PRODUCERS)
    def start_again(self, which: int) -> None:
        assert self.producers[which].init() is OK
        self.written[which] = []

    @rule(duration=st.sampled_from([1, 1_000, TIMEOUT_MS]))
    def wait(self, duration: int) -> None:
        self.core.advance(duration)

    @rule()
    def restart(self) -> None:
        now = self.core.now_ms
        self.core.broker.close()
        self.core = Core(self.folder)
        self.core.advance(now - self.core.now_ms)
        for producer in self.producers:
            producer.core = self.core

    @invariant()
    def readers_see_what_was_committed(self) -> None:
        seen = {
            (partition, value) for partition in range(PARTITIONS) for value in committed_values(self.core, partition)
        }
        assert seen <= self.committed
        open_ones = [each for each in self.written if each]
        if not open_ones:
            assert seen == self.committed

    def teardown(self) -> None:
        """When every transaction is over everything that was committed is there, in the order of its writing."""
        if not hasattr(self, "core"):
            return
        for which in (0, 1):
            self.start_again(which)
        for partition in range(PARTITIONS):
            expected = sorted(value for where, value in self.committed if where == partition)
            assert committed_values(self.core, partition) == expected
        self.core.broker.close()
        shutil.rmtree(self.folder)

    def _ended(self, which: int, code: ErrorCode, commit: bool) -> None:
        if code is not OK:
            known = self.core.broker.transactions.get(f"tx-{which}")
            assert known is not None
            assert known.state is not State.ONGOING or code is not ErrorCode.invalid_txn_state
            if code is ErrorCode.invalid_txn_state and which == SECOND:
                assert self.producers[which].end(commit=False) is OK, "its time was over; it may abort and go on"
            self._fenced(which, code)
        elif commit:
            self.committed |= set(self.written[which])
        self.written[which] = []

    def _fenced(self, which: int, code: ErrorCode) -> None:
        """Its time was over: it takes the next epoch and begins anew."""
        if code is ErrorCode.invalid_txn_state:
            return
        assert code in {ErrorCode.producer_fenced, ErrorCode.invalid_producer_epoch}
        self.start_again(which)


AnyOrder.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
