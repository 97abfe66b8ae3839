"""The few calls that the runtime needs of a Kafka client, in batches, none of which blocks longer than told.

librdkafka's client is one implementation, the simulator's the other. Every error is a
`millstream.errors.KafkaError`, raised by the call or, where a call only starts something, reported by a later poll.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from millstream.errors import KafkaError
from millstream.model import Batch, OutBatch, TopicPartition

EARLIEST = -2
LATEST = -1


# --- what polls report


@dataclass(frozen=True, slots=True)
class PartitionEnd:
    """The consumer has returned everything that stood in the partition: `offset` is the next one to come.

    Comes with the last records, and again each time the end is reached; more records for it mean: not at the end.
    """

    source: TopicPartition
    offset: int


@dataclass(frozen=True, slots=True)
class PartitionFailure:
    """Reading a partition failed; `source` is None when the error concerns the client as a whole."""

    source: TopicPartition | None
    error: KafkaError


@dataclass(frozen=True, slots=True)
class Fetched:
    """One poll's outcome: records by partition, partitions read to their end, errors."""

    batches: Sequence[Batch]
    ends: Sequence[PartitionEnd]
    failures: Sequence[PartitionFailure]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of produced records since the last poll: how many were acknowledged, and which failed.

    `held` rows wait in the client until others are acknowledged: they are sent by one of the next polls.
    """

    acknowledged: int
    failures: Sequence[DeliveryFailure]
    held: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """A record that the broker did not take: its partition, its key and the reason.

    `size` is that of its key and value in bytes; `row` the record alone, where its batch says where its rows come from.
    `aborts`: it was part of a transaction, which can only be aborted now; one that the client itself refused never was.
    """

    target: TopicPartition
    key: bytes | None
    error: KafkaError
    size: int = 0
    row: OutBatch | None = None
    aborts: bool = False


@dataclass(frozen=True, slots=True)
class GroupChange:
    """The group gave or took partitions of the subscribed topic.

    `revoked` ones are still ours until `Membership.release`: commit, close what belongs to them, then release.
    `lost` came without warning: they are someone else's already, and no commit is possible.
    """

    kind: Literal["assigned", "revoked", "lost"]
    partitions: Sequence[TopicPartition]


@dataclass(frozen=True, slots=True)
class CommitOutcome:
    """The answer to `Membership.commit`: error is None when the offsets are stored."""

    offsets: Mapping[TopicPartition, CommittedOffset]
    error: KafkaError | None


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    """The offset to go on from, with the metadata that Kafka Streams keeps beside it (rule F15)."""

    offset: int
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group: who it is there, what its client is called, and the partitions that it has."""

    id: str
    client: str
    partitions: frozenset[TopicPartition]


GroupEvent: TypeAlias = GroupChange | CommitOutcome | PartitionFailure

# The code of a failure to read on from an offset that the broker doesn't have, where a consumer was told to report it.
OUT_OF_RANGE = 1

# Who a member is to its group, and in which generation. Opaque: made by a membership, taken by producers of its client.
GroupMetadata: TypeAlias = object

Step: TypeAlias = Literal["init", "offsets", "commit", "abort"]


@dataclass(frozen=True, slots=True)
class StepDone:
    """What became of a step of a `TransactionalProducer`; `error` is None when it is done.

    An error that is `retriable` left things as they were: start the same step again. After one that is `fatal` this
    producer is of no use any more, and whether a commit took effect is unknown; another one with the same id, once
    initialised, takes its place. After one that is `abortable` the transaction is to be aborted. Others are refusals.
    """

    step: Step
    error: KafkaError | None


# --- the clients


class DataConsumer(Protocol):
    """Reads partitions that are assigned by hand; belongs to no group.

    An offset that the broker has no more (retention took it) goes on from the earliest that it has; a `strict` consumer
    reports a failure with OUT_OF_RANGE, and reads that partition no further. With `read_committed` records of
    transactions come when these are committed, never when they are aborted, and the end of a partition is its last
    stable offset: where the first transaction begins that is still open.
    """

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """Add partitions, each from an offset (or EARLIEST, LATEST); those already assigned are left alone."""

    def unassign(self, partitions: Iterable[TopicPartition]) -> None:
        """Stop reading; what was fetched of them is dropped."""

    def seek(self, source: TopicPartition, offset: int) -> None:
        """Go on from another offset of an assigned partition; what was fetched of it is dropped."""

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Return nothing of these until resumed. What was prefetched may be thrown away: use water marks."""

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Go on with paused partitions."""

    def poll(self, *, max_records: int, timeout_ms: int) -> Fetched:
        """Whatever has arrived, up to max_records; waits up to timeout_ms only while there is nothing at all."""

    def watermarks(self, source: TopicPartition, *, timeout_ms: int) -> tuple[int, int]:
        """First offset and end offset as the broker tells them now; tries until the limit what trying can mend.

        The end is behind everything that is written, also with `read_committed`: who reads up to it waits for the
        transactions that are open there.
        """

    def known_end(self, source: TopicPartition) -> int | None:
        """End offset that came with the last fetch, without asking the broker; None before the first."""

    def close(self) -> None:
        """Release sockets and threads."""


class Membership(Protocol):
    """The consumer that is in the group: is given partitions of one topic, heartbeats, commits offsets of any topic."""

    def poll(self, *, timeout_ms: int) -> Sequence[GroupEvent]:
        """Group changes and commits' outcomes, in order. Keeps the membership alive: call it often."""

    def release(self, partitions: Iterable[TopicPartition]) -> None:
        """Give up partitions that a `revoked` change named; the group waits for it. Others are passed over."""

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Start a commit; `poll` reports its outcome. Also while revoked partitions wait for their release."""

    def committed(
        self, partitions: Sequence[TopicPartition], *, timeout_ms: int
    ) -> Mapping[TopicPartition, CommittedOffset]:
        """The group's stored offsets; partitions without one are absent.

        With `read_committed` those that a transaction holds which is still open are waited for: until the limit, then
        the error is retriable.
        """

    def group_metadata(self) -> GroupMetadata | None:
        """What a transaction's offsets are sent with; None while this is no member of the group.

        Of the generation that the group was in when `poll` last returned, or of a later one in which all partitions
        are still this member's that no `poll` has reported as lost. Offsets with an older generation's fail.
        """

    def member_id(self) -> str | None:
        """Who this is in the group; None before it has joined."""

    def close(self) -> None:
        """Leave the group and release sockets and threads."""


class GroupView(Protocol):
    """Looks at a group from outside, one question at a time."""

    def ask(self) -> None:
        """Start to ask who is in the group, unless a question is under way."""

    def members(self) -> Sequence[Member] | None:
        """The answer, once. None: it hasn't come, or the group was between two generations; then ask again."""

    def close(self) -> None:
        """Release sockets and threads."""


class Producer(Protocol):
    """Idempotent producer. Partitions and timestamps (at least 0) are the caller's."""

    def produce(self, batch: OutBatch) -> int:
        """Queue rows for sending; returns how many were taken: fewer than `len(batch)` when the queue is full."""

    def poll(self, *, timeout_ms: int) -> Delivered:
        """What was acknowledged or failed since the last poll; waits only while rows are outstanding."""

    def outstanding(self) -> int:
        """Rows queued and not yet acknowledged, or whose failure no `poll` has reported: zero means flushed."""

    def close(self) -> None:
        """Give up what is outstanding and release sockets and threads."""


class TransactionalProducer(Producer, Protocol):
    """What is produced between `begin` and the end of `commit` is seen by readers of committed records whole or never.

    `init`, `send_offsets`, `commit` and `abort` only start a step, one at a time; `outcome` reports it. A step that
    doesn't end within the client's limit is reported as a fatal error. `produce` is for within a transaction; while
    offsets are sent it may go on.
    """

    def init(self) -> None:
        """Start to take over the transactional id: an earlier owner is fenced, and its open transaction ended."""

    def begin(self) -> None:
        """Begin a transaction: at once, without the broker."""

    def send_offsets(self, offsets: Mapping[TopicPartition, CommittedOffset], group: GroupMetadata) -> None:
        """Start to make offsets of the group a part of the transaction.

        Fails with ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID when the group has gone on without that
        member: this is what fences a worker that has lost its tasks.
        """

    def commit(self) -> None:
        """Start to commit. Whoever wants to know of failed rows flushes before: it fails when one of them did."""

    def abort(self) -> None:
        """Start to abort; rows that are still queued are dropped."""

    def outcome(self, *, timeout_ms: int) -> StepDone | None:
        """What became of the step under way, once; waits up to timeout_ms for it."""

    def close(self) -> None:
        """Abort what is open, if that is quick; give up the rest, and release sockets and threads."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to be created. `replication` -1 is the broker's default."""

    name: str
    partitions: int
    config: Mapping[str, str]
    replication: int = -1


class Admin(Protocol):
    """Topics, looked up and created."""

    def partition_counts(self, *, timeout_ms: int) -> Mapping[str, int]:
        """Number of partitions of every topic there is."""

    def topic_ids(self, topics: Sequence[str], *, timeout_ms: int) -> Mapping[str, str]:
        """What tells each of these topics from an earlier one of the same name; none where the broker doesn't say."""

    def create_topics(self, topics: Sequence[TopicSpec], *, timeout_ms: int) -> None:
        """Create topics and wait until they can be used; one that exists already is left alone."""

    def close(self) -> None:
        """Release sockets and threads."""


class KafkaClient(Protocol):
    """Makes the clients of one application for one cluster."""

    def data_consumer(self, name: str, *, read_committed: bool = False, strict: bool = False) -> DataConsumer:
        """`name` stands in the broker's logs."""

    def membership(
        self,
        group: str,
        topic: str,
        *,
        instance: str | None = None,
        read_committed: bool = False,
        client: str | None = None,
    ) -> Membership:
        """Joins the group by polling. With an `instance`, as that static member: it doesn't leave when it is closed.

        `client` is what the others see it called; None: like the group.
        """

    def group_view(self, group: str) -> GroupView:
        """Connects at its first question."""

    def producer(self) -> Producer:
        """Connects by producing."""

    def transactional_producer(self, transactional_id: str, *, timeout_ms: int) -> TransactionalProducer:
        """Connects by `init`. The broker aborts a transaction that is open for longer than timeout_ms."""

    def admin(self) -> Admin:
        """Connects at its first call, which raises BrokerUnavailableError when no broker answers."""
