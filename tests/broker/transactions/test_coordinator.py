"""Transactions by a manual clock: who is refused, what times out, and what is there after a kill at any moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.log.blob import FileBlob
from millstream.broker.transactions.coordinator import RETRY_MS
from millstream.broker.transactions.transaction import (
    LARGEST_EPOCH,
    Owner,
    State,
    Transaction,
    completed,
    fenced,
    initialized,
)
from millstream.model import TopicPartition
from tests.broker.batches import batch
from tests.broker.core import Core
from tests.broker.transactions.client import TransactionalProducer, committed_values, fetch, produce

OK = ErrorCode.none


@pytest.fixture
def core() -> Core:
    core = Core()
    core.broker.partitions.add(core.broker.catalogue.create("t", 3, {}))
    return core


@pytest.fixture
def producer(core: Core) -> TransactionalProducer:
    producer = TransactionalProducer(core, "tx")
    assert producer.init() is OK
    return producer


def state(core: Core) -> State:
    known = core.broker.transactions.get("tx")
    assert known is not None
    return known.state


@pytest.mark.parametrize("version", [4, 5, 7, 11, 12])
def test_aborted_ones_are_told_in_every_form(core: Core, producer: TransactionalProducer, version: int) -> None:
    producer.write(0, b"v1")
    producer.end(commit=False)
    producer.write(0, b"v2")
    producer.end(commit=True)
    answer = fetch(core, 0, 0, version)
    assert [(each.producer_id, each.first_offset) for each in answer.aborted_transactions] == [(0, 0)]
    assert committed_values(core, 0, version) == [b"v2"]


def test_only_the_aborted_ones_in_what_is_fetched_are_told(core: Core, producer: TransactionalProducer) -> None:
    for _ in range(20):
        producer.write(0, b"no")
        producer.end(commit=False)
    counts = [len(fetch(core, 0, offset).aborted_transactions) for offset in (0, 20, 38)]
    assert counts == [2, 2, 1]
    core.broker.partitions.get("t", 0).log.delete_before(40)  # type: ignore[union-attr]
    assert fetch(core, 0, 40).aborted_transactions == ()


def test_a_transaction_must_be_known_and_the_partition_in_it(core: Core, producer: TransactionalProducer) -> None:
    assert producer.send(0, b"v1") is ErrorCode.invalid_txn_state
    assert producer.add(1) is OK
    assert producer.send(0, b"v1") is ErrorCode.invalid_txn_state
    stranger = batch(attributes=0x10, producer_id=99, epoch=0, sequence=0)
    assert produce(core, 0, stranger) is ErrorCode.invalid_producer_id_mapping
    assert producer.add(9) is ErrorCode.unknown_topic_or_partition
    assert TransactionalProducer(core, "other").add(0) is ErrorCode.invalid_producer_id_mapping
    assert TransactionalProducer(core, "other").end(commit=True) is ErrorCode.invalid_producer_id_mapping


def test_outside_of_its_open_transaction_a_producer_may_not_write(core: Core, producer: TransactionalProducer) -> None:
    producer.write(0, b"v1")
    plain = batch(producer_id=producer.producer_id, epoch=producer.epoch, sequence=1)
    assert produce(core, 0, plain) is ErrorCode.invalid_txn_state


def test_ends_may_be_asked_for_again(producer: TransactionalProducer) -> None:
    assert producer.end(commit=True) is ErrorCode.invalid_txn_state
    producer.write(0, b"v1")
    assert [producer.end(commit=True) for _ in range(2)] == [OK, OK]
    assert producer.end(commit=False) is ErrorCode.invalid_txn_state
    producer.write(0, b"v2")
    assert [producer.end(commit=False) for _ in range(2)] == [OK, OK]
    assert producer.end(commit=True) is ErrorCode.invalid_txn_state


def test_a_repeat_after_the_end_gets_its_offset(core: Core, producer: TransactionalProducer) -> None:
    producer.write(0, b"v1")
    producer.end(commit=True)
    producer.sequences[0] = 0
    assert producer.send(0, b"v1") is OK
    assert committed_values(core, 0) == [b"v1"]


@pytest.mark.parametrize(
    ("old", "expected"), [(False, ErrorCode.producer_fenced), (True, ErrorCode.invalid_producer_epoch)]
)
def test_zombies_are_fenced_everywhere(
    core: Core, producer: TransactionalProducer, old: bool, expected: ErrorCode
) -> None:
    producer.write(0, b"v1")
    heir = TransactionalProducer(core, "tx")
    assert heir.init() is OK
    assert heir.producer_id == producer.producer_id
    assert producer.add(0, version=1 if old else 3) is expected
    assert producer.end(commit=True, version=1 if old else 3) is expected
    assert producer.init(expected=True, version=3 if old else 4) is expected
    assert producer.send(0, b"v1") is ErrorCode.invalid_producer_epoch
    assert producer.commit_offset("g", 0, 1) is ErrorCode.invalid_producer_epoch
    assert heir.write(0, b"v2") is OK
    assert heir.end(commit=True) is OK
    assert committed_values(core, 0) == [b"v2"]


def test_a_producer_raises_its_own_epoch_and_may_ask_twice(producer: TransactionalProducer) -> None:
    before = Owner(producer.producer_id, producer.epoch)
    assert producer.init(expected=True) is OK
    after = Owner(producer.producer_id, producer.epoch)
    assert after == Owner(before.producer_id, before.epoch + 1)
    producer.epoch = before.epoch
    assert producer.init(expected=True) is OK
    assert Owner(producer.producer_id, producer.epoch) == after, "the answer was lost, the producer asks again"


def test_a_new_producer_id_when_the_epochs_are_used_up() -> None:
    last = Transaction(7, LARGEST_EPOCH, 1000)
    after = initialized(last, None, 1000, lambda: 8, 0)
    assert after == Transaction(8, 0, 1000, last_producer_id=7, changed_ms=0)
    beyond = completed(fenced(last, 0), 0)
    assert beyond.epoch == LARGEST_EPOCH + 1, "left for fencing"
    assert initialized(beyond, None, 1000, lambda: 8, 0) == after
    asked_again = initialized(last, Owner(7, LARGEST_EPOCH), 1000, lambda: 8, 0)
    assert isinstance(asked_again, Transaction)
    assert initialized(asked_again, Owner(7, LARGEST_EPOCH), 1000, lambda: 9, 0) is asked_again
    assert initialized(asked_again, Owner(6, 0), 1000, lambda: 9, 0) is ErrorCode.producer_fenced


def test_timeouts_abort_and_fence(core: Core) -> None:
    producer = TransactionalProducer(core, "tx", timeout_ms=5_000)
    producer.init()
    producer.write(0, b"v1")
    core.advance(4_000)
    producer.end(commit=True)
    producer.write(0, b"v2")
    core.advance(4_999)
    assert state(core) is State.ONGOING, "each transaction has its own time"
    core.advance(1)
    assert state(core) is State.COMPLETE_ABORT
    assert producer.end(commit=True) is ErrorCode.producer_fenced
    assert committed_values(core, 0) == [b"v1"]
    assert core.broker.timers.next_deadline() is None
    assert [producer.init(), producer.write(0, b"v3"), producer.end(commit=True)] == [OK] * 3


@pytest.mark.parametrize("timeout_ms", [0, 900_001])
def test_timeouts_have_limits(core: Core, timeout_ms: int) -> None:
    assert TransactionalProducer(core, "tx", timeout_ms).init() is ErrorCode.invalid_transaction_timeout
    assert TransactionalProducer(core, "").init() is ErrorCode.invalid_request


def test_offsets_wait_for_the_end(core: Core, producer: TransactionalProducer) -> None:
    partition = TopicPartition("t", 0)
    offsets = core.broker.groups.offsets
    assert producer.commit_offset("g", 0, 5) is ErrorCode.invalid_txn_state, "the group is not in the transaction"
    producer.add_group("g")
    assert producer.commit_offset("g", 0, 5, generation=3) is ErrorCode.illegal_generation
    assert producer.commit_offset("g", 0, 5) is OK
    assert producer.commit_offset("g", 0, 6) is OK
    assert producer.commit_offset("g", 8, 6) is ErrorCode.unknown_topic_or_partition
    assert offsets.get("g", partition) is None
    assert core.broker.transactions.unstable("g") == {partition}
    producer.end(commit=True)
    known = offsets.get("g", partition)
    assert known is not None
    assert known.offset == 6
    assert core.broker.transactions.unstable("g") == frozenset()


def test_topics_may_go_while_a_transaction_is_open(core: Core, producer: TransactionalProducer) -> None:
    producer.write(0, b"v1")
    topic = core.broker.catalogue.delete("t")
    assert topic is not None
    core.broker.partitions.remove(topic)
    assert producer.end(commit=True) is OK


class Killed(BaseException):
    """The process ends before this write."""


@contextmanager
def killed_before_write(number: int) -> Iterator[list[int]]:
    """The process dies when it is about to write for the `number`-th time; gives how many writes there were."""
    writes = [0]
    original = FileBlob.append

    def append(self: FileBlob, parts: Sequence[bytes | memoryview]) -> None:
        if writes[0] == number:
            raise Killed
        writes[0] += 1
        original(self, parts)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FileBlob, "append", append)
        with suppress(Killed):
            yield writes


@pytest.mark.parametrize("commit", [True, False])
def test_a_kill_at_every_step_leaves_all_or_nothing(tmp_path: Path, commit: bool) -> None:
    steps = 0
    for number in range(100):
        folder = tmp_path / str(number)
        core = Core(folder)
        core.broker.partitions.add(core.broker.catalogue.create("t", 3, {}))
        producer = TransactionalProducer(core, "tx")
        producer.init()
        for partition in (0, 1):
            producer.write(partition, b"v%d" % partition)
        producer.add_group("g")
        producer.commit_offset("g", 2, 5)
        with killed_before_write(number) as writes:
            producer.end(commit=commit)
        core.broker.close()
        decided = number > 0
        again = Core(folder)
        producer.core = again
        assert state(again) is (State.ONGOING if not decided else _complete(commit))
        if not decided:
            assert committed_values(again, 0) == []
        assert producer.end(commit=commit) is OK, "the producer, who knows nothing of it, asks again"
        visible = [committed_values(again, partition) for partition in (0, 1, 2)]
        assert visible == ([[b"v0"], [b"v1"], []] if commit else [[], [], []])
        known = again.broker.groups.offsets.get("g", TopicPartition("t", 2))
        assert (known is not None) is commit
        ends = [again.broker.partitions.get("t", partition).log.end_offset for partition in (0, 1)]  # type: ignore[union-attr]
        assert ends == [2, 2], "one marker each"
        again.broker.close()
        steps = writes[0]
        if steps < number:
            break
    assert steps == (5 if commit else 4), "decision, two markers, offsets if committed, completion"


def _complete(commit: bool) -> State:
    return State.COMPLETE_COMMIT if commit else State.COMPLETE_ABORT


def test_a_full_disk_delays_what_was_decided(
    core: Core, producer: TransactionalProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = core.broker.partitions.get("t", 1).log  # type: ignore[union-attr]
    producer.write(0, b"v0")
    producer.write(1, b"v1")

    def disk_full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(log, "append_marker", disk_full)
        assert producer.end(commit=True) is OK
        assert state(core) is State.PREPARE_COMMIT
        assert producer.add(0) is ErrorCode.concurrent_transactions
        assert producer.init() is ErrorCode.concurrent_transactions
        core.advance(RETRY_MS)
        assert state(core) is State.PREPARE_COMMIT
    core.advance(RETRY_MS)
    assert state(core) is State.COMPLETE_COMMIT
    assert (committed_values(core, 0), committed_values(core, 1)) == ([b"v0"], [b"v1"])


def test_a_decision_that_cannot_be_written_is_none(
    core: Core, producer: TransactionalProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    producer.write(0, b"v0")
    with monkeypatch.context() as patched:
        patched.setattr("millstream.broker.log.blob.MemoryBlob.append", disk_full)
        assert producer.end(commit=True) is ErrorCode.coordinator_not_available
        assert producer.add(1) is ErrorCode.coordinator_not_available
        assert producer.init() is ErrorCode.coordinator_not_available
    assert producer.end(commit=True) is OK
    assert committed_values(core, 0) == [b"v0"]


def test_after_a_restart_timeouts_go_on(tmp_path: Path) -> None:
    core = Core(tmp_path)
    core.broker.partitions.add(core.broker.catalogue.create("t", 1, {}))
    producer = TransactionalProducer(core, "tx", timeout_ms=5_000)
    producer.init()
    producer.write(0, b"v0")
    core.broker.close()
    again = Core(tmp_path)
    again.advance(4_999)
    assert fetch(again, 0, 0).last_stable_offset == 0
    again.advance(1)
    assert fetch(again, 0, 0).last_stable_offset == 2
    assert committed_values(again, 0) == []
    again.broker.close()


def test_open_transactions_that_nobody_knows_are_aborted(tmp_path: Path) -> None:
    core = Core(tmp_path)
    core.broker.partitions.add(core.broker.catalogue.create("t", 1, {}))
    producer = TransactionalProducer(core, "tx")
    producer.init()
    producer.write(0, b"v0")
    core.broker.close()
    (tmp_path / "transactions.journal").unlink()
    again = Core(tmp_path)
    assert fetch(again, 0, 0).last_stable_offset == 2
    assert committed_values(again, 0) == []
    again.broker.close()
