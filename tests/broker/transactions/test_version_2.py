"""Transactions of version 2 (KIP-890): partitions and groups join by being written, each end raises the epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.protocol import apis
from millstream.broker.transactions.transaction import (
    LARGEST_EPOCH,
    Owner,
    State,
    Transaction,
    completed,
    ended_raising,
    fenced,
    initialized,
)
from millstream.model import TopicPartition
from tests.broker.core import Core, nested, request_type
from tests.broker.transactions.client import (
    SecondVersionProducer,
    TransactionalProducer,
    committed_values,
    fetch,
)
from tests.broker.transactions.test_coordinator import killed_before_write, state

OK = ErrorCode.none


@pytest.fixture
def core() -> Core:
    core = Core()
    core.broker.create_topic("t", 3, {})
    return core


@pytest.fixture
def producer(core: Core) -> SecondVersionProducer:
    producer = SecondVersionProducer(core, "tx")
    assert producer.init(version=5) is OK
    return producer


def test_partitions_join_by_being_written(core: Core, producer: SecondVersionProducer) -> None:
    assert [producer.write(partition, b"v%d" % partition) for partition in (0, 1)] == [OK, OK]
    assert fetch(core, 0, 0).last_stable_offset == 0
    assert producer.end(commit=True) is OK
    assert [committed_values(core, partition) for partition in (0, 1)] == [[b"v0"], [b"v1"]]
    assert producer.write(0, b"w0") is OK
    assert producer.end(commit=False) is OK
    assert committed_values(core, 0) == [b"v0"]


def test_each_end_raises_the_epoch_and_what_comes_late_is_refused(core: Core, producer: SecondVersionProducer) -> None:
    producer.write(0, b"v0")
    before = Owner(producer.producer_id, producer.epoch)
    assert producer.end(commit=False) is OK
    assert Owner(producer.producer_id, producer.epoch) == Owner(before.producer_id, before.epoch + 1)
    late = SecondVersionProducer(core, "tx")
    late.producer_id, late.epoch, late.sequences = before.producer_id, before.epoch, {0: 1}
    assert late.write(0, b"v1") is ErrorCode.invalid_producer_epoch
    assert late.write(2, b"v1") is ErrorCode.invalid_producer_epoch, "also where no marker was written"
    assert late.commit_offset("g", 0, 1) is ErrorCode.invalid_producer_epoch
    assert producer.write(0, b"v2") is OK
    assert late.end(commit=False) is ErrorCode.producer_fenced, "the next transaction has begun"
    assert producer.end(commit=True) is OK
    assert committed_values(core, 0) == [b"v2"]


@pytest.mark.parametrize("commit", [True, False])
def test_an_end_may_be_asked_for_again(core: Core, producer: SecondVersionProducer, commit: bool) -> None:
    producer.write(0, b"v0")
    before = producer.epoch
    assert producer.end(commit=commit) is OK
    after = producer.epoch
    producer.epoch = before
    assert producer.end(commit=not commit) is ErrorCode.invalid_txn_state
    assert producer.end(commit=commit) is OK
    assert producer.epoch == after, "the answer was lost; it is the same"


def test_an_abort_needs_no_transaction_and_a_commit_does(producer: SecondVersionProducer) -> None:
    assert producer.end(commit=True) is ErrorCode.invalid_txn_state
    before = producer.epoch
    assert producer.end(commit=False) is OK
    assert producer.end(commit=False) is OK
    assert producer.epoch == before + 2
    assert producer.end(commit=True) is ErrorCode.invalid_txn_state


def test_a_new_producer_id_when_the_epochs_are_used_up() -> None:
    ids = iter([8, 9])
    known = Transaction(7, LARGEST_EPOCH, 1000, State.ONGOING)
    asking = Owner(7, LARGEST_EPOCH)
    decided = ended_raising(known, asking, lambda: next(ids), 0, commit=True)
    assert isinstance(decided, Transaction)
    assert decided.owner == Owner(7, LARGEST_EPOCH + 1), "markers are the old id's"
    assert decided.next_owner == Owner(8, 0)
    assert ended_raising(decided, asking, lambda: next(ids), 0, commit=True) is ErrorCode.concurrent_transactions
    done = completed(decided, 0)
    assert (done.owner, done.next_owner, done.state) == (Owner(8, 0), Owner(8, 0), State.COMPLETE_COMMIT)
    assert ended_raising(done, asking, lambda: next(ids), 0, commit=True) is done
    assert ended_raising(done, Owner(7, 3), lambda: next(ids), 0, commit=True) is ErrorCode.invalid_producer_id_mapping
    again = initialized(done, asking, 1000, lambda: next(ids), 0)
    assert again is done, "it may also ask for a new epoch with the old one (KIP-360)"


def test_the_second_version_goes_on_with_another_id(core: Core, producer: SecondVersionProducer) -> None:
    known = core.broker.transactions.get("tx")
    assert known is not None
    producer.epoch = LARGEST_EPOCH
    core.broker.transactions._store("tx", Transaction(known.producer_id, LARGEST_EPOCH, known.timeout_ms))
    assert producer.write(0, b"v0") is OK
    assert producer.end(commit=True) is OK
    assert producer.epoch == 0
    assert producer.producer_id != known.producer_id
    assert producer.write(0, b"v1") is OK
    assert producer.end(commit=True) is OK
    assert committed_values(core, 0) == [b"v0", b"v1"]


def test_whoever_timed_out_may_abort_and_go_on(core: Core) -> None:
    producer = SecondVersionProducer(core, "tx", timeout_ms=5_000)
    producer.init(version=5)
    producer.write(0, b"v0")
    core.advance(5_000)
    assert state(core) is State.COMPLETE_ABORT
    assert producer.write(0, b"v1") is ErrorCode.invalid_producer_epoch
    assert producer.end(commit=True) is ErrorCode.invalid_txn_state
    assert producer.end(commit=False) is OK
    assert producer.write(0, b"v2") is OK
    assert producer.end(commit=True) is OK
    assert committed_values(core, 0) == [b"v2"]


def test_a_timeout_that_uses_up_the_epochs_fences() -> None:
    last = fenced(Transaction(7, LARGEST_EPOCH, 1000, State.ONGOING, version=2), 0)
    aborted = completed(last, 0)
    asking = Owner(7, LARGEST_EPOCH)
    assert ended_raising(aborted, asking, lambda: 8, 0, commit=False) is ErrorCode.producer_fenced


def test_a_zombie_that_timed_out_is_fenced_by_its_heir(core: Core) -> None:
    zombie = SecondVersionProducer(core, "tx", timeout_ms=5_000)
    zombie.init(version=5)
    zombie.write(0, b"v0")
    heir = SecondVersionProducer(core, "tx")
    assert heir.init(version=5) is OK
    assert zombie.end(commit=False) is ErrorCode.producer_fenced
    assert zombie.end(commit=True) is ErrorCode.producer_fenced


def test_offsets_join_their_group(core: Core, producer: SecondVersionProducer) -> None:
    assert producer.commit_offset("g", 2, 5) is OK
    assert core.broker.groups.offsets.get("g", TopicPartition("t", 2)) is None
    assert producer.end(commit=True) is OK
    known = core.broker.groups.offsets.get("g", TopicPartition("t", 2))
    assert known is not None
    assert known.offset == 5
    producer.commit_offset("g", 2, 9)
    producer.end(commit=False)
    assert core.broker.groups.offsets.get("g", TopicPartition("t", 2)) == known


@pytest.mark.parametrize(
    ("produce_version", "commit_version", "expected"),
    [
        (10, 3, ErrorCode.invalid_txn_state),
        (11, 4, ErrorCode.transaction_abortable),
    ],
)
def test_those_who_must_join_first_are_told_what_they_know(
    core: Core, produce_version: int, commit_version: int, expected: ErrorCode
) -> None:
    producer = TransactionalProducer(core, "tx")
    producer.init()
    producer.add(1)
    assert producer.send(0, b"v0", version=produce_version) is expected
    assert producer.commit_offset("g", 0, 1, version=commit_version) is expected
    assert producer.send(1, b"v0", version=produce_version) is OK


@pytest.mark.parametrize("commit", [True, False])
def test_a_kill_at_every_step_leaves_all_or_nothing(tmp_path: Path, commit: bool) -> None:
    steps = 0
    for number in range(100):
        core = Core(tmp_path / str(number))
        core.broker.create_topic("t", 3, {})
        producer = SecondVersionProducer(core, "tx")
        producer.init(version=5)
        for partition in (0, 1):
            producer.write(partition, b"v%d" % partition)
        producer.commit_offset("g", 2, 5)
        before = producer.epoch
        with killed_before_write(number) as writes:
            producer.end(commit=commit)
        producer.epoch = before
        core.broker.close()
        producer.core = again = Core(tmp_path / str(number))
        if number == 0:
            assert state(again) is State.ONGOING
        assert producer.end(commit=commit) is OK, "the producer, who knows nothing of it, asks again"
        assert producer.epoch == before + 1
        visible = [committed_values(again, partition) for partition in (0, 1)]
        assert visible == ([[b"v0"], [b"v1"]] if commit else [[], []])
        assert (again.broker.groups.offsets.get("g", TopicPartition("t", 2)) is not None) is commit
        assert producer.write(0, b"w0") is OK
        again.broker.close()
        steps = writes[0]
        if steps < number:
            break
    assert steps == (5 if commit else 4), "decision, two markers, offsets if committed, completion"


def added(core: Core, producer: TransactionalProducer, partition: int, *, verify_only: bool) -> ErrorCode:
    topic = nested(apis.ADD_PARTITIONS_TO_TXN, 4, "AddPartitionsToTxnTopic")(name="t", partitions=(partition,))
    fields: dict[str, Any] = {
        "transactional_id": producer.transactional_id,
        "producer_id": producer.producer_id,
        "producer_epoch": producer.epoch,
        "verify_only": verify_only,
        "topics": (topic,),
    }
    transaction = nested(apis.ADD_PARTITIONS_TO_TXN, 4, "AddPartitionsToTxnTransaction")(**fields)
    message = request_type(apis.ADD_PARTITIONS_TO_TXN, 4)(transactions=(transaction,))
    answer = core.ask(apis.ADD_PARTITIONS_TO_TXN, 4, message).results_by_transaction[0]
    code: ErrorCode = answer.topic_results[0].results_by_partition[0].partition_error_code
    return code


def test_partitions_may_be_asked_about_without_joining(core: Core, producer: SecondVersionProducer) -> None:
    assert added(core, producer, 0, verify_only=True) is ErrorCode.transaction_abortable
    assert added(core, producer, 0, verify_only=False) is OK
    assert added(core, producer, 0, verify_only=True) is OK
    assert added(core, producer, 1, verify_only=True) is ErrorCode.transaction_abortable
    assert added(core, producer, 9, verify_only=True) is ErrorCode.unknown_topic_or_partition
    producer.epoch += 1
    assert added(core, producer, 0, verify_only=True) is ErrorCode.producer_fenced
