"""One transactional id: its states, and what a producer may do in each.

Pure: every step takes the state there is and gives the next one, or Kafka's error. Kafka's states:

    Empty -> Ongoing -> PrepareCommit -> CompleteCommit -> Ongoing, or with a new epoch Empty
                     -> PrepareAbort  -> CompleteAbort  -> the same

Rules: Kafka's TransactionCoordinator and TransactionMetadata (KIP-98, KIP-360, KIP-588), and for transactions of
version 2 KIP-890: their partitions join as they are written to, and each end raises the producer's epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

import msgspec
from kio.schema.errors import ErrorCode

from millstream.model import TopicPartition

NO_EPOCH = -1
NO_PRODUCER_ID = -1
LARGEST_EPOCH = 32766
"""The last epoch that a producer is given; the one after it is left for fencing that producer."""


class State(Enum):
    EMPTY = "Empty"
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"


PREPARED = frozenset({State.PREPARE_COMMIT, State.PREPARE_ABORT})
_COMPLETED = {State.PREPARE_COMMIT: State.COMPLETE_COMMIT, State.PREPARE_ABORT: State.COMPLETE_ABORT}


class Owner(msgspec.Struct, frozen=True):
    """Who asks: a producer id and its epoch."""

    producer_id: int
    epoch: int


class PendingOffset(msgspec.Struct, frozen=True):
    """An offset that the group commits if the transaction does."""

    group: str
    partition: TopicPartition
    offset: int
    leader_epoch: int
    metadata: str


class Transaction(msgspec.Struct, frozen=True):
    """What is durable of one transactional id."""

    producer_id: int
    epoch: int
    timeout_ms: int
    state: State = State.EMPTY
    partitions: tuple[TopicPartition, ...] = ()
    groups: tuple[str, ...] = ()
    offsets: tuple[PendingOffset, ...] = ()
    last_epoch: int = NO_EPOCH
    """The epoch before the one that a producer asked to be raised: it may ask again."""
    last_producer_id: int = NO_PRODUCER_ID
    changed_ms: int = -1
    """Time of day of the last change of state."""
    began_ms: int = -1
    """Time of day at which the last transaction began."""
    version: int = 1
    """Of the transaction: in version 2 its end raises the epoch, and may be asked for again with the epoch before."""
    next_producer_id: int = NO_PRODUCER_ID
    """The id that the producer goes on with when this end is complete, if its epochs are used up."""

    @property
    def owner(self) -> Owner:
        return Owner(self.producer_id, self.epoch)

    @property
    def next_owner(self) -> Owner:
        """Who writes the next transaction."""
        return self.owner if self.next_producer_id == NO_PRODUCER_ID else Owner(self.next_producer_id, 0)


def owner_problem(known: Transaction | None, asking: Owner) -> ErrorCode | None:
    """Why this producer may not act for the transactional id."""
    if known is None or known.producer_id != asking.producer_id:
        return ErrorCode.invalid_producer_id_mapping
    return None if known.epoch == asking.epoch else ErrorCode.producer_fenced


def with_partitions(
    known: Transaction | None, asking: Owner, partitions: Iterable[TopicPartition], now_ms: int, *, version: int = 1
) -> Transaction | ErrorCode:
    """Partitions join the transaction; the first ones begin it."""
    began = _joined(known, asking, now_ms, version)
    if isinstance(began, ErrorCode):
        return began
    added = tuple(partition for partition in dict.fromkeys(partitions) if partition not in set(began.partitions))
    return msgspec.structs.replace(began, partitions=began.partitions + added) if added else began


def with_group(
    known: Transaction | None, asking: Owner, group: str, now_ms: int, *, version: int = 1
) -> Transaction | ErrorCode:
    """A consumer group joins the transaction, which may then commit offsets of it."""
    began = _joined(known, asking, now_ms, version)
    if isinstance(began, ErrorCode) or group in began.groups:
        return began
    return msgspec.structs.replace(began, groups=(*began.groups, group))


def with_offsets(
    known: Transaction | None, asking: Owner, group: str, offsets: Iterable[PendingOffset]
) -> Transaction | ErrorCode:
    """Offsets of a group that has joined; later ones replace earlier ones."""
    problem = owner_problem(known, asking)
    if known is None or problem is not None:
        return ErrorCode.invalid_producer_epoch if problem is ErrorCode.producer_fenced else problem or _UNKNOWN
    if known.state is not State.ONGOING or group not in known.groups:
        return ErrorCode.invalid_txn_state
    pending = {(each.group, each.partition): each for each in (*known.offsets, *offsets)}
    return msgspec.structs.replace(known, offsets=tuple(pending.values()))


def ended(known: Transaction | None, asking: Owner, now_ms: int, *, commit: bool) -> Transaction | ErrorCode:
    """The producer commits or aborts. Unchanged if that is what was done already: the answer was lost."""
    problem = owner_problem(known, asking)
    if known is None or problem is not None:
        return problem or _UNKNOWN
    match known.state:
        case State.ONGOING:
            return prepared(known, now_ms, commit=commit)
        case State.COMPLETE_COMMIT if commit:
            return known
        case State.COMPLETE_ABORT if not commit:
            return known
        case State.PREPARE_COMMIT if commit:
            return ErrorCode.concurrent_transactions
        case State.PREPARE_ABORT if not commit:
            return ErrorCode.concurrent_transactions
        case _:
            return ErrorCode.invalid_txn_state


def ended_raising(
    known: Transaction | None, asking: Owner, fresh_id: Callable[[], int], now_ms: int, *, commit: bool
) -> Transaction | ErrorCode:
    """The same in version 2: the epoch goes up, so that what arrives late from before the end is refused.

    An abort is possible without a transaction as well: the producer does not know which of its writes arrived.
    """
    again = known is not None and _asks_again(known, asking)
    problem = None if again else owner_problem(known, asking)
    if known is None or problem is not None:
        return problem or _UNKNOWN
    prepare = State.PREPARE_COMMIT if commit else State.PREPARE_ABORT
    if known.state in PREPARED:
        return ErrorCode.concurrent_transactions if known.state is prepare else ErrorCode.invalid_txn_state
    if again:
        if known.state is State.ONGOING:
            return ErrorCode.producer_fenced
        return known if known.state is _COMPLETED[prepare] else ErrorCode.invalid_txn_state
    if commit and known.state is not State.ONGOING:
        return ErrorCode.invalid_txn_state
    raised = msgspec.structs.replace(
        known,
        epoch=known.epoch + 1,
        last_epoch=known.epoch,
        last_producer_id=NO_PRODUCER_ID,
        version=2,
        next_producer_id=fresh_id() if known.epoch >= LARGEST_EPOCH else NO_PRODUCER_ID,
    )
    return prepared(raised, now_ms, commit=commit)


def _asks_again(known: Transaction, asking: Owner) -> bool:
    """The producer ends a transaction that has ended: it knows the epoch, or the id, from before."""
    if known.version == 1:
        return False
    if asking.producer_id == known.producer_id:
        return asking.epoch + 1 == known.epoch
    return asking == Owner(known.last_producer_id, LARGEST_EPOCH) and known.epoch == 0


def prepared(known: Transaction, now_ms: int, *, commit: bool) -> Transaction:
    """Decided: from here on the transaction can only be completed."""
    state = State.PREPARE_COMMIT if commit else State.PREPARE_ABORT
    return msgspec.structs.replace(known, state=state, changed_ms=now_ms)


def fenced(known: Transaction, now_ms: int) -> Transaction:
    """An ongoing transaction is aborted over its producer's head: the epoch that the producer knows is over.

    In version 2 the producer may still ask for the abort, and goes on; not so if that used up the epochs.
    """
    version = 1 if known.epoch >= LARGEST_EPOCH else known.version
    raised = msgspec.structs.replace(known, epoch=known.epoch + 1, last_epoch=NO_EPOCH, version=version)
    return prepared(raised, now_ms, commit=False)


def completed(known: Transaction, now_ms: int) -> Transaction:
    """The markers are written and the offsets committed."""
    after = msgspec.structs.replace(
        known, state=_COMPLETED[known.state], partitions=(), groups=(), offsets=(), changed_ms=now_ms
    )
    if known.next_producer_id == NO_PRODUCER_ID:
        return after
    return msgspec.structs.replace(
        after,
        producer_id=known.next_producer_id,
        epoch=0,
        last_producer_id=known.producer_id,
        next_producer_id=NO_PRODUCER_ID,
    )


def initialized(
    known: Transaction, expected: Owner | None, timeout_ms: int, fresh_id: Callable[[], int], now_ms: int
) -> Transaction | ErrorCode:
    """A producer starts (or, with `expected`, goes on after an error) with the next epoch.

    `known` has no transaction open or prepared. `fresh_id` is taken when the epochs of the producer id are used up.
    """
    if expected is not None:
        problem = _expectation_problem(known, expected)
        if problem is not None:
            return problem
        if known.epoch not in {NO_EPOCH, expected.epoch} and expected.epoch == known.last_epoch:
            return known
    after = msgspec.structs.replace(
        known, timeout_ms=timeout_ms, state=State.EMPTY, changed_ms=now_ms, began_ms=-1, version=1
    )
    last_epoch = NO_EPOCH if expected is None else expected.epoch
    if known.epoch >= LARGEST_EPOCH:
        return msgspec.structs.replace(
            after, producer_id=fresh_id(), epoch=0, last_epoch=last_epoch, last_producer_id=known.producer_id
        )
    return msgspec.structs.replace(after, epoch=known.epoch + 1, last_epoch=last_epoch, last_producer_id=NO_PRODUCER_ID)


_UNKNOWN = ErrorCode.invalid_producer_id_mapping


def _joined(known: Transaction | None, asking: Owner, now_ms: int, version: int) -> Transaction | ErrorCode:
    problem = owner_problem(known, asking)
    if known is None or problem is not None:
        return problem or _UNKNOWN
    if known.state in PREPARED:
        return ErrorCode.concurrent_transactions
    if known.state is State.ONGOING:
        return known
    return msgspec.structs.replace(known, state=State.ONGOING, changed_ms=now_ms, began_ms=now_ms, version=version)


def _expectation_problem(known: Transaction, expected: Owner) -> ErrorCode | None:
    rotated = expected.producer_id == known.last_producer_id and expected.epoch >= LARGEST_EPOCH
    if known.epoch != NO_EPOCH and expected.producer_id != known.producer_id and not rotated:
        return ErrorCode.producer_fenced
    if known.epoch not in {NO_EPOCH, expected.epoch} and expected.epoch != known.last_epoch:
        return ErrorCode.producer_fenced
    return None
