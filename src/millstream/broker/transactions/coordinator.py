"""The coordinator of all transactions: decides, remembers durably, and carries out.

A transaction ends in three steps: the decision is made durable, markers are written and offsets committed, and the end
is made durable. Killed in between, the broker goes on with the second step when it starts again. The state of a
transactional id is written before anybody is told of it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable

import msgspec
from kio.schema.errors import ErrorCode

from millstream.broker.groups.groups import Groups
from millstream.broker.groups.offsets import CommittedOffset
from millstream.broker.journal import Journal
from millstream.broker.log.batch import BatchHeader
from millstream.broker.log.partition import Admission
from millstream.broker.partitions import Partition, Partitions
from millstream.broker.producer_ids import ProducerIds
from millstream.broker.settings import DEFAULTS
from millstream.broker.timers import Timers
from millstream.broker.transactions.joining import Joins, told
from millstream.broker.transactions.transaction import (
    NO_EPOCH,
    PREPARED,
    Owner,
    PendingOffset,
    State,
    Transaction,
    completed,
    ended,
    ended_raising,
    fenced,
    initialized,
    owner_problem,
    with_group,
    with_offsets,
    with_partitions,
)
from millstream.model import TopicPartition

RETRY_MS = 1_000
"""How long a decided transaction waits after the disk did not take its markers."""
_TRANSACTION = "transaction/"

_log = logging.getLogger(__name__)


class Transactions:
    """Transactions by transactional id. `wall_ms` tells the time of day; other times are of one monotonic clock.

    Every method that changes something raises OSError if the disk does not take it, with nothing changed.
    """

    def __init__(
        self,
        journal: Journal,
        partitions: Partitions,
        groups: Groups,
        producer_ids: ProducerIds,
        timers: Timers,
        wall_ms: Callable[[], int],
        *,
        longest_ms: int = DEFAULTS.transaction_max_ms,
    ) -> None:
        self._longest_ms = longest_ms
        self._journal = journal
        self._partitions = partitions
        self._groups = groups
        self._producer_ids = producer_ids
        self._timers = timers
        self._wall_ms = wall_ms
        self._known: dict[str, Transaction] = {}
        self._id_of: dict[int, str] = {}
        self._watched: set[str] = set()
        """Transactional ids that have a timer running for their timeout."""

    def restore(self, now_ms: float) -> None:
        """Go on after a restart: decided transactions are completed, ongoing ones get their whole timeout again."""
        for key, value in self._journal.items():
            if key.startswith(_TRANSACTION):
                self._keep(key.removeprefix(_TRANSACTION), msgspec.convert(value, Transaction))
        for transactional_id, known in list(self._known.items()):
            if known.state in PREPARED:
                self._complete(transactional_id, now_ms, again=True)
            elif known.state is State.ONGOING:
                self._watch(transactional_id, now_ms)
        self._abort_strays()

    def get(self, transactional_id: str) -> Transaction | None:
        return self._known.get(transactional_id)

    def items(self) -> list[tuple[str, Transaction]]:
        return list(self._known.items())

    # --- requests

    def initialize(
        self, transactional_id: str, expected: Owner | None, timeout_ms: int, now_ms: float
    ) -> Owner | ErrorCode:
        """A producer starts: whoever had the id before is fenced, and its open transaction is aborted."""
        if not transactional_id:
            return ErrorCode.invalid_request
        if not 0 < timeout_ms <= self._longest_ms:
            return ErrorCode.invalid_transaction_timeout
        known = self._known.get(transactional_id)
        if known is None:
            known = Transaction(self._producer_ids.next(), NO_EPOCH, timeout_ms)
        elif known.state is State.ONGOING:
            if expected is not None and expected != known.owner:
                return ErrorCode.producer_fenced
            known = self._fence(transactional_id, known, now_ms)
            if expected is not None:
                expected = known.owner
        if known.state in PREPARED:
            return ErrorCode.concurrent_transactions
        after = initialized(known, expected, timeout_ms, self._producer_ids.next, self._wall_ms())
        if isinstance(after, ErrorCode):
            return after
        self._store(transactional_id, after)
        return after.owner

    def add_partitions(
        self,
        transactional_id: str,
        asking: Owner,
        partitions: Iterable[TopicPartition],
        now_ms: float,
        *,
        version: int = 1,
    ) -> ErrorCode:
        known = self._known.get(transactional_id)
        after = with_partitions(known, asking, partitions, self._wall_ms(), version=version)
        return self._went_on(transactional_id, known, after, now_ms)

    def add_group(self, transactional_id: str, asking: Owner, group: str, now_ms: float) -> ErrorCode:
        known = self._known.get(transactional_id)
        return self._went_on(transactional_id, known, with_group(known, asking, group, self._wall_ms()), now_ms)

    def add_offsets(
        self,
        transactional_id: str,
        asking: Owner,
        group: str,
        offsets: Iterable[PendingOffset],
        now_ms: float,
        joins: Joins = Joins.BEFORE,
    ) -> ErrorCode:
        """A group that has not joined is an error, or joins by this in version 2."""
        known = self._known.get(transactional_id)
        if joins is Joins.BY_WRITING:
            began = with_group(known, asking, group, self._wall_ms(), version=2)
            if isinstance(began, ErrorCode):
                return told(began, joins)
            return self._went_on(transactional_id, known, with_offsets(began, asking, group, offsets), now_ms)
        if joins is Joins.BEFORE_ABORTABLE and known is not None and group not in known.groups:
            return owner_problem(known, asking) or ErrorCode.transaction_abortable
        return self._went_on(transactional_id, known, with_offsets(known, asking, group, offsets), now_ms)

    def end(self, transactional_id: str, asking: Owner, now_ms: float, *, commit: bool) -> ErrorCode:
        """Once the decision is durable the answer is positive, also if the disk takes the markers only later."""
        known = self._known.get(transactional_id)
        after = ended(known, asking, self._wall_ms(), commit=commit)
        if isinstance(after, ErrorCode):
            return after
        if after is not known:
            self._store(transactional_id, after)
            self._complete(transactional_id, now_ms, again=False)
        return ErrorCode.none

    def end_raising(self, transactional_id: str, asking: Owner, now_ms: float, *, commit: bool) -> Owner | ErrorCode:
        """The same in version 2: gives the id and epoch with which the producer goes on (KIP-890)."""
        known = self._known.get(transactional_id)
        after = ended_raising(known, asking, self._producer_ids.next, self._wall_ms(), commit=commit)
        if isinstance(after, ErrorCode):
            return after
        if after is not known:
            self._store(transactional_id, after)
            self._complete(transactional_id, now_ms, again=False)
        return after.next_owner

    def verify(self, transactional_id: str, asking: Owner, partition: TopicPartition) -> ErrorCode:
        """Whether the partition is in the producer's open transaction; nothing is changed."""
        known = self._known.get(transactional_id)
        problem = owner_problem(known, asking)
        if known is None or problem is not None:
            return problem or ErrorCode.invalid_producer_id_mapping
        if known.state in PREPARED:
            return ErrorCode.concurrent_transactions
        in_it = known.state is State.ONGOING and partition in known.partitions
        return ErrorCode.none if in_it else ErrorCode.transaction_abortable

    def forget_before(self, before_ms: int) -> None:
        """Forget transactional ids that nobody has used since then."""
        idle = [
            transactional_id
            for transactional_id, known in self._known.items()
            if known.changed_ms < before_ms and known.state is not State.ONGOING and known.state not in PREPARED
        ]
        self._journal.put({_TRANSACTION + transactional_id: None for transactional_id in idle})
        for transactional_id in idle:
            self._id_of.pop(self._known.pop(transactional_id).producer_id, None)

    # --- what others ask

    def admission(self, partition: TopicPartition, joins: Joins, now_ms: float) -> Admission:
        """Whether the producer of a transactional batch may write it into this partition (KIP-890)."""

        def problem(header: BatchHeader) -> ErrorCode | None:
            asking = Owner(header.producer_id, header.producer_epoch)
            transactional_id = self._id_of.get(header.producer_id, "")
            error = self.verify(transactional_id, asking, partition)
            if error is ErrorCode.transaction_abortable and joins is Joins.BY_WRITING:
                error = self.add_partitions(transactional_id, asking, (partition,), now_ms, version=2)
            return None if error is ErrorCode.none else told(error, joins)

        return problem

    def unstable(self, group: str) -> frozenset[TopicPartition]:
        """Partitions of which a transaction that is not complete holds offsets of this group."""
        return frozenset(
            each.partition for known in self._known.values() for each in known.offsets if each.group == group
        )

    # --- the end of a transaction

    def _fence(self, transactional_id: str, known: Transaction, now_ms: float) -> Transaction:
        self._store(transactional_id, fenced(known, self._wall_ms()))
        self._complete(transactional_id, now_ms, again=False)
        return self._known[transactional_id]

    def _complete(self, transactional_id: str, now_ms: float, *, again: bool) -> None:
        """Carry out what was decided; tried again later if the disk is full.

        With `again` some markers may be there already, and only partitions where the transaction is open get one.
        """
        known = self._known[transactional_id]
        written: list[tuple[Partition, int]] = []
        try:
            self._write_markers(known, written, again=again)
            if known.state is State.PREPARE_COMMIT:
                self._commit_offsets(known)
            self._store(transactional_id, completed(known, self._wall_ms()))
        except OSError as error:
            _log.error("transaction of %r is decided and waits to be completed: %s", transactional_id, error)
            self._timers.at(now_ms + RETRY_MS, lambda at_ms: self._complete(transactional_id, at_ms, again=True))
        for partition, size in written:
            partition.notify(size)

    def _write_markers(self, known: Transaction, written: list[tuple[Partition, int]], *, again: bool) -> None:
        for name in known.partitions:
            partition = self._partitions.get(*name)
            if partition is None or (again and not partition.log.transactions.is_open(known.producer_id)):
                continue
            size = partition.log.append_marker(
                known.producer_id, known.epoch, self._wall_ms(), commit=known.state is State.PREPARE_COMMIT
            )
            written.append((partition, size))

    def _commit_offsets(self, known: Transaction) -> None:
        by_group: dict[str, dict[TopicPartition, CommittedOffset]] = {}
        for each in known.offsets:
            if self._partitions.get(*each.partition) is not None:
                value = CommittedOffset(each.offset, each.leader_epoch, each.metadata, self._wall_ms())
                by_group.setdefault(each.group, {})[each.partition] = value
        for group, offsets in by_group.items():
            self._groups.know(group)
            self._groups.offsets.commit(group, offsets)

    def _abort_strays(self) -> None:
        """An open transaction that the coordinator does not know will never end, and would hide its log for ever."""
        for partition in self._partitions.all():
            for producer_id in partition.log.transactions.producers():
                known = self._known.get(self._id_of.get(producer_id, ""))
                if known is None or known.state not in {State.ONGOING, *PREPARED}:
                    _log.warning("%s: an open transaction that nobody knows is aborted", partition.log.name)
                    epoch = partition.log.producers.epoch(producer_id)
                    with contextlib.suppress(OSError):
                        partition.log.append_marker(producer_id, epoch, self._wall_ms(), commit=False)

    # --- timeouts

    def _watch(self, transactional_id: str, now_ms: float, left_ms: float | None = None) -> None:
        if transactional_id in self._watched and left_ms is None:
            return
        self._watched.add(transactional_id)
        wait_ms = self._known[transactional_id].timeout_ms if left_ms is None else left_ms
        self._timers.at(now_ms + wait_ms, lambda at_ms: self._expire(transactional_id, at_ms))

    def _expire(self, transactional_id: str, now_ms: float) -> None:
        """The transaction for which the timer was set has had its time; a later one may have some left."""
        known = self._known.get(transactional_id)
        if known is None or known.state is not State.ONGOING:
            self._watched.discard(transactional_id)
            return
        left_ms = known.changed_ms + known.timeout_ms - self._wall_ms()
        if left_ms > 0:
            self._watch(transactional_id, now_ms, min(left_ms, known.timeout_ms))
            return
        self._watched.discard(transactional_id)
        _log.warning("transaction of %r timed out after %d ms and is aborted", transactional_id, known.timeout_ms)
        try:
            self._fence(transactional_id, known, now_ms)
        except OSError as error:
            _log.error("transaction of %r cannot be aborted yet: %s", transactional_id, error)
            self._watch(transactional_id, now_ms, RETRY_MS)

    # --- memory

    def _went_on(
        self, transactional_id: str, known: Transaction | None, after: Transaction | ErrorCode, now_ms: float
    ) -> ErrorCode:
        if isinstance(after, ErrorCode):
            return after
        if after is not known:
            self._store(transactional_id, after)
            self._watch(transactional_id, now_ms)
        return ErrorCode.none

    def _store(self, transactional_id: str, after: Transaction) -> None:
        self._journal.put({_TRANSACTION + transactional_id: msgspec.to_builtins(after)})
        self._keep(transactional_id, after)

    def _keep(self, transactional_id: str, after: Transaction) -> None:
        before = self._known.get(transactional_id)
        if before is not None and before.producer_id != after.producer_id:
            self._id_of.pop(before.producer_id, None)
        self._known[transactional_id] = after
        self._id_of[after.producer_id] = transactional_id
