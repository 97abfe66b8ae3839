"""Answers to administrators: log folders, elections, reassignments, producers and transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from kio.schema.errors import ErrorCode

from millstream.broker.protocol.answers.data import NO_THROTTLE

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class LogSize:
    partition_index: int
    partition_size: int
    offset_lag: int = 0
    is_future_key: bool = False


@dataclass(frozen=True, slots=True)
class LogTopic:
    name: str
    partitions: tuple[LogSize, ...]


@dataclass(frozen=True, slots=True)
class LogFolder:
    error_code: ErrorCode
    log_dir: str
    topics: tuple[LogTopic, ...]
    total_bytes: int = -1
    usable_bytes: int = -1
    is_cordoned: bool = False


@dataclass(frozen=True, slots=True)
class LogFolders:
    results: tuple[LogFolder, ...]
    error_code: ErrorCode = ErrorCode.none
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class Election:
    partition_id: int
    error_code: ErrorCode
    error_message: str | None


@dataclass(frozen=True, slots=True)
class TopicElections:
    topic: str
    partition_result: tuple[Election, ...]


@dataclass(frozen=True, slots=True)
class Elections:
    replica_election_results: tuple[TopicElections, ...]
    error_code: ErrorCode = ErrorCode.none
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class Reassignment:
    partition_index: int
    error_code: ErrorCode
    error_message: str | None


@dataclass(frozen=True, slots=True)
class TopicReassignments:
    name: str
    partitions: tuple[Reassignment, ...]


@dataclass(frozen=True, slots=True)
class Reassignments:
    responses: tuple[TopicReassignments, ...]
    allow_replication_factor_change: bool
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class OngoingReassignments:
    """There never are any: with one broker nothing can be elsewhere."""

    topics: tuple[()] = ()
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class ActiveProducer:
    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp: int
    current_txn_start_offset: int
    coordinator_epoch: int = 0


@dataclass(frozen=True, slots=True)
class PartitionProducers:
    partition_index: int
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    active_producers: tuple[ActiveProducer, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicProducers:
    name: str
    partitions: tuple[PartitionProducers, ...]


@dataclass(frozen=True, slots=True)
class DescribedProducers:
    topics: tuple[TopicProducers, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class TransactionTopic:
    topic: str
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DescribedTransaction:
    transactional_id: str
    error_code: ErrorCode
    transaction_state: str = ""
    transaction_timeout: timedelta = NO_THROTTLE
    transaction_start_time: datetime = _EPOCH
    producer_id: int = -1
    producer_epoch: int = -1
    topics: tuple[TransactionTopic, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedTransactions:
    transaction_states: tuple[DescribedTransaction, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class ListedTransaction:
    transactional_id: str
    producer_id: int
    transaction_state: str


@dataclass(frozen=True, slots=True)
class ListedTransactions:
    transaction_states: tuple[ListedTransaction, ...]
    unknown_state_filters: tuple[str, ...] = ()
    error_code: ErrorCode = ErrorCode.none
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class MovedPartition:
    partition_index: int
    error_code: ErrorCode


@dataclass(frozen=True, slots=True)
class MovedTopic:
    topic_name: str
    partitions: tuple[MovedPartition, ...]


@dataclass(frozen=True, slots=True)
class MovedReplicas:
    results: tuple[MovedTopic, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class DescribedAcls:
    error_code: ErrorCode
    error_message: str | None
    resources: tuple[()] = ()
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class AclResult:
    error_code: ErrorCode
    error_message: str | None
    matching_acls: tuple[()] = ()


@dataclass(frozen=True, slots=True)
class CreatedAcls:
    results: tuple[AclResult, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class DeletedAcls:
    filter_results: tuple[AclResult, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class Voter:
    replica_id: int
    log_end_offset: int
    replica_directory_id: UUID | None = None
    last_fetch_timestamp: int = -1
    last_caught_up_timestamp: int = -1


@dataclass(frozen=True, slots=True)
class QuorumPartition:
    partition_index: int
    error_code: ErrorCode
    leader_id: int
    leader_epoch: int
    high_watermark: int
    current_voters: tuple[Voter, ...]
    observers: tuple[()] = ()
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class QuorumTopic:
    topic_name: str
    partitions: tuple[QuorumPartition, ...]


@dataclass(frozen=True, slots=True)
class Quorum:
    error_code: ErrorCode
    error_message: str | None
    topics: tuple[QuorumTopic, ...]
    nodes: tuple[()] = ()


@dataclass(frozen=True, slots=True)
class DescribedQuotas:
    entries: tuple[()] = ()
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    throttle_time: timedelta = NO_THROTTLE
