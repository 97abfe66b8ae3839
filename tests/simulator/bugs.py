"""Mistakes that somebody could make, planted to see that the simulator finds each of them.

Each is a patch over the runtime or the broker, and is for the programs and the guarantee under which it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from millstream.broker.groups.coordinator import Coordinator
from millstream.broker.groups.groups import Groups
from millstream.broker.groups.offsets import CommittedOffsets
from millstream.broker.log import compaction, partition
from millstream.broker.log.transactions import LogTransactions
from millstream.broker.log.writers import Writers
from millstream.client.contract import CommittedOffset
from millstream.model import Batch, TopicPartition
from millstream.runtime import standbys
from millstream.runtime.commit import AtLeastOnce
from millstream.runtime.exactly_once import ExactlyOnce
from millstream.runtime.held import HeldTask
from millstream.runtime.loop import Loop
from millstream.runtime.opening import Opening
from millstream.runtime.outlet import Outlet
from millstream.runtime.standby import Standby
from millstream.runtime.tasks import Tasks
from millstream.runtime.transaction import Transaction
from tests.simulator.client import SimulatedClient
from tests.simulator.faults import BROKER_CRASH, CUT, FREEZE, KILL, STOP
from tests.simulator.scenarios import COUNTED, REPARTITIONED, SCENARIOS, STATELESS, Scenario

EXACTLY_ONCE = "exactly_once_v2"


@dataclass(frozen=True, slots=True)
class Bug:
    plant: Callable[[], AbstractContextManager[object]]
    scenarios: tuple[Scenario, ...] = SCENARIOS
    guarantee: str = "at_least_once"
    faults: tuple[str, ...] = (KILL,)
    standbys: tuple[int, ...] = (0,)


def _patched(target: Any, name: str, wrong: Any) -> Callable[[], AbstractContextManager[object]]:
    return lambda: mock.patch.object(target, name, wrong)


# --- the runtime


def _no_flush(_self: Any) -> Iterator[None]:
    yield from ()


def _offsets_first(self: Any, held: Any) -> Iterator[None]:
    """The order of a commit turned around: a crash between leaves records passed over whose state is not kept."""
    ready = [each for each in held if each.running and (each.task.needs_commit or each.progress())]
    for each in ready:
        each.task.end_round()
    self._outlet.send(self._outbox.drain())
    yield from self._flush()
    offsets = {source: at for each in ready for source, at in each.progress().items()}
    if offsets and not (yield from self._store(offsets)):
        return
    for each in ready:
        self._outlet.send(each.changelog())
    yield from self._flush()
    for each in ready:
        each.settle()
        each.committed.update((source, offsets[source]) for source in each.spec.inputs if source in offsets)
        each.task.committed()


def _disk_first(self: Any, held: Any) -> Iterator[None]:
    """A store's files have what nobody has acknowledged for its changelog."""
    ready = [each for each in held if each.running and (each.task.needs_commit or each.progress())]
    for each in ready:
        each.task.end_round()
    self._outlet.send(self._outbox.drain())
    told = [batch for each in ready for batch in each.changelog()]
    for each in ready:
        each.settle()
    yield from self._flush()
    self._outlet.send(told)
    yield from self._flush()
    offsets = {source: at for each in ready for source, at in each.progress().items()}
    if offsets and not (yield from self._store(offsets)):
        return
    for each in ready:
        each.committed.update((source, offsets[source]) for source in each.spec.inputs if source in offsets)
        each.task.committed()


def _changed_progress(change: Callable[[CommittedOffset], CommittedOffset]) -> Callable[[], Any]:
    right = HeldTask.progress

    def progress(self: HeldTask) -> Mapping[TopicPartition, CommittedOffset]:
        return {source: change(at) for source, at in right(self).items()}

    return _patched(HeldTask, "progress", progress)


@contextmanager
def _repartition_rows_wait() -> Iterator[None]:
    """The last rows for repartition topics go with the next ones: a commit doesn't wait for them."""
    right, late = Outlet.send, {}

    def send(self: Outlet, batches: Any) -> None:
        now = list(batches)
        rows = [each for each in now if each.target.topic.endswith("-repartition")]
        if rows:
            now = [*late.pop(id(self), []), *(each for each in now if each not in rows)]
            late[id(self)] = rows
        right(self, now)

    with mock.patch.object(Outlet, "send", send):
        yield


@contextmanager
def _restored_from_a_stale_end() -> Iterator[None]:
    right = Opening.open

    def opened(self: Opening, held: HeldTask, *given: Any) -> Any:
        result = right(self, held, *given)
        for each in held.restoring.values():
            each.end = max(each.begin, each.end - 1)
        return result

    with mock.patch.object(Opening, "open", opened):
        yield


def _outbox_dropped(self: Any, change: Any) -> Iterator[None]:
    """What the producer has not taken yet is thrown away when tasks are taken."""
    if change.kind == "revoked":
        self._outlet._waiting.clear()
    yield from _follow(self, change)


_follow = Loop._follow


def _released_first(self: Any, change: Any) -> Iterator[None]:
    """Tasks are given away before they are committed."""
    if change.kind == "revoked":
        self._membership.release(change.partitions)
    yield from _follow(self, change)


# --- the broker


def _any_member(*_: Any, **__: Any) -> None:
    return None


def _committed_in_memory(self: CommittedOffsets, group: str, offsets: Any) -> None:
    self._groups.setdefault(group, {}).update(offsets)


@contextmanager
def _compaction_keeps_the_older() -> Iterator[None]:
    right = compaction._kept

    def kept(log: Any, header: Any, batch: Any, latest: dict[bytes, int], tombstones_over: bool) -> Any:
        found, whole = right(log, header, batch, latest, tombstones_over)
        return (found[:-1], False) if len(found) > 1 else (found, whole)

    with mock.patch.object(compaction, "_kept", kept):
        yield


@contextmanager
def _sequences_forgotten() -> Iterator[None]:
    """A log that is opened again knows no producers, so that what is sent again is written again."""
    right = partition.recovered

    def recovered(*given: Any, **named: Any) -> Any:
        segments, writers = right(*given, **named)
        return segments, Writers(None, writers.transactions)

    with mock.patch.object(partition, "recovered", recovered):
        yield


@contextmanager
def _stable_up_to_the_end() -> Iterator[None]:
    """What an open transaction has written is shown to readers of committed records."""
    with mock.patch.object(partition.PartitionLog, "stable_offset", property(lambda self: self.end_offset)):
        yield


@contextmanager
def _aborted_not_told() -> Iterator[None]:
    with mock.patch.object(LogTransactions, "aborted", lambda *_: []):
        yield


# --- the runtime, exactly-once


def _disk_before_transaction(self: Any, held: Any) -> Iterator[None]:
    """Files on disk are told of what may still be aborted."""
    ready = [each for each in held if each.running and (each.task.needs_commit or each.progress())]
    for each in ready:
        each.task.end_round()
        told = each.changelog()
        self._outlet.send(self._outbox.drain())
        self._outlet.send(told)
        each.settle()
    yield from _commit_transaction(self, held)


_commit_transaction = ExactlyOnce.commit


def _offsets_outside(self: Any, offsets: Any, group: Any) -> Iterator[None]:
    """Results are committed, and what they were made of is not."""
    del offsets, group
    self.begin()
    yield from ()


@contextmanager
def _uncommitted_read() -> Iterator[None]:
    right = SimulatedClient.data_consumer

    def data_consumer(self: SimulatedClient, name: str, *, read_committed: bool = False, strict: bool = False) -> Any:
        del read_committed
        return right(self, name, strict=strict)

    with mock.patch.object(SimulatedClient, "data_consumer", data_consumer):
        yield


def _not_reopened(_self: Tasks) -> None:
    """After an aborted transaction tasks go on with what they have done in it."""


# --- standby copies


@contextmanager
def _copies_read_uncommitted() -> Iterator[None]:
    right = SimulatedClient.data_consumer

    def data_consumer(self: SimulatedClient, name: str, *, read_committed: bool = False, strict: bool = False) -> Any:
        return right(self, name, read_committed=read_committed and not strict, strict=strict)

    with mock.patch.object(SimulatedClient, "data_consumer", data_consumer):
        yield


@contextmanager
def _without_the_rest() -> Iterator[None]:
    """A copy that has not come far, because it was never read, is taken for the whole."""
    right = Opening.open

    def opened(self: Opening, held: HeldTask) -> None:
        right(self, held)
        for each in held.restoring.values() if held.warm else ():
            each.position = each.end

    with (
        mock.patch.object(Opening, "open", opened),
        mock.patch.object(standbys, "BUSY_CHUNKS", 0),
        mock.patch.object(standbys, "IDLE_CHUNKS", 0),
    ):
        yield


def _every_other_batch(self: Standby, batch: Batch) -> None:
    """A copy has gaps."""
    if self.rows % 2:
        self.positions[batch.source] = batch.next_offset
        self.rows += 1
    else:
        _take(self, batch)
        self.rows += 1


_take = Standby.take


BUGS: dict[str, Bug] = {
    "commit before flush": Bug(_patched(AtLeastOnce, "_flush", _no_flush)),
    "offsets committed before the changelog": Bug(_patched(AtLeastOnce, "commit", _offsets_first), (COUNTED,)),
    "store written before its changelog": Bug(_patched(AtLeastOnce, "commit", _disk_first), (COUNTED, REPARTITIONED)),
    "offset off by one": Bug(_changed_progress(lambda at: replace(at, offset=at.offset + 1))),
    "lost repartition flush": Bug(_repartition_rows_wait, (REPARTITIONED,)),
    "restored from a stale end": Bug(_restored_from_a_stale_end, (COUNTED, REPARTITIONED)),
    "outbox dropped at a rebalance": Bug(
        _patched(Loop, "_follow", _outbox_dropped), (STATELESS, COUNTED), faults=(STOP,)
    ),
    "tasks released before they are committed": Bug(_patched(Loop, "_follow", _released_first)),
    "broker: missed fencing": Bug(_patched(Coordinator, "commit_problem", _any_member), faults=(FREEZE, CUT)),
    "broker: commits acknowledged and not stored": Bug(_patched(CommittedOffsets, "commit", _committed_in_memory)),
    "broker: compaction keeps the older of two": Bug(_compaction_keeps_the_older, (COUNTED, REPARTITIONED)),
    "exactly-once: store written before the transaction is committed": Bug(
        _patched(ExactlyOnce, "commit", _disk_before_transaction), (COUNTED, REPARTITIONED), EXACTLY_ONCE
    ),
    "exactly-once: offsets left out of the transaction": Bug(
        _patched(Transaction, "send_offsets", _offsets_outside), (COUNTED, STATELESS), EXACTLY_ONCE
    ),
    "exactly-once: an aborted transaction is read": Bug(_uncommitted_read, (COUNTED, REPARTITIONED), EXACTLY_ONCE),
    "exactly-once: tasks go on after an abort": Bug(_patched(Tasks, "reopen", _not_reopened), SCENARIOS, EXACTLY_ONCE),
    "broker: fencing missed in transactions": Bug(
        _patched(Groups, "transactional_commit_problem", _any_member), SCENARIOS, EXACTLY_ONCE, (FREEZE, CUT)
    ),
    "broker: sequences forgotten at a restart": Bug(_sequences_forgotten, SCENARIOS, EXACTLY_ONCE, (BROKER_CRASH,)),
    "broker: stable offset too high": Bug(_stable_up_to_the_end, SCENARIOS, EXACTLY_ONCE),
    "standby copies: the rest is not restored": Bug(
        _without_the_rest, (COUNTED, REPARTITIONED), faults=(STOP, KILL), standbys=(1,)
    ),
    "standby copies: there are gaps": Bug(
        _patched(Standby, "take", _every_other_batch), (COUNTED, REPARTITIONED), standbys=(1,)
    ),
    "standby copies: what is not committed is read": Bug(
        _copies_read_uncommitted, (COUNTED, REPARTITIONED), EXACTLY_ONCE, standbys=(1,)
    ),
    "broker: aborted transactions not told": Bug(_aborted_not_told, (COUNTED, REPARTITIONED), EXACTLY_ONCE),
}
