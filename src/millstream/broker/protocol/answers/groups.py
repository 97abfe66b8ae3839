"""Answers about consumer groups and their committed offsets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from kio.schema.errors import ErrorCode

from millstream.broker.protocol.answers.cluster import UNKNOWN_OPERATIONS
from millstream.broker.protocol.answers.data import NO_THROTTLE


@dataclass(frozen=True, slots=True)
class JoinedMember:
    member_id: str
    group_instance_id: str | None
    metadata: bytes


@dataclass(frozen=True, slots=True)
class Joined:
    error_code: ErrorCode
    member_id: str
    generation_id: int = -1
    protocol_type: str | None = None
    protocol_name: str | None = ""
    leader: str = ""
    skip_assignment: bool = False
    members: tuple[JoinedMember, ...] = ()
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class Synced:
    error_code: ErrorCode
    assignment: bytes = b""
    protocol_type: str | None = None
    protocol_name: str | None = None
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class ErrorOnly:
    """Heartbeat, and every other answer that is one error code."""

    error_code: ErrorCode
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class LeftMember:
    member_id: str
    group_instance_id: str | None
    error_code: ErrorCode


@dataclass(frozen=True, slots=True)
class Left:
    """Before version 3 the member's own error stands at the top (`codec` writes what the version has)."""

    error_code: ErrorCode
    members: tuple[LeftMember, ...] = ()
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class DescribedMember:
    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    member_metadata: bytes
    member_assignment: bytes


@dataclass(frozen=True, slots=True)
class DescribedGroup:
    group_id: str
    error_code: ErrorCode = ErrorCode.none
    group_state: str = ""
    protocol_type: str = ""
    protocol_data: str = ""
    members: tuple[DescribedMember, ...] = ()
    authorized_operations: int = UNKNOWN_OPERATIONS
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class DescribedGroups:
    groups: tuple[DescribedGroup, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class ListedGroup:
    group_id: str
    protocol_type: str
    group_state: str
    group_type: str = "classic"


@dataclass(frozen=True, slots=True)
class ListedGroups:
    groups: tuple[ListedGroup, ...]
    error_code: ErrorCode = ErrorCode.none
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class DeletedGroup:
    group_id: str
    error_code: ErrorCode


@dataclass(frozen=True, slots=True)
class DeletedGroups:
    results: tuple[DeletedGroup, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class PartitionResult:
    partition_index: int
    error_code: ErrorCode


@dataclass(frozen=True, slots=True)
class TopicPartitionResults:
    """Results per partition of a topic; OffsetCommit, OffsetDelete and TxnOffsetCommit share the form."""

    name: str | None
    partitions: tuple[PartitionResult, ...]
    topic_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class OffsetResults:
    topics: tuple[TopicPartitionResults, ...]
    error_code: ErrorCode = ErrorCode.none
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class FetchedOffset:
    partition_index: int
    committed_offset: int = -1
    committed_leader_epoch: int = -1
    metadata: str | None = ""
    error_code: ErrorCode = ErrorCode.none


@dataclass(frozen=True, slots=True)
class FetchedOffsetsTopic:
    name: str | None
    partitions: tuple[FetchedOffset, ...]
    topic_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class FetchedOffsetsGroup:
    group_id: str
    topics: tuple[FetchedOffsetsTopic, ...]
    error_code: ErrorCode = ErrorCode.none


@dataclass(frozen=True, slots=True)
class FetchedOffsets:
    """Up to version 7 the answer is the first group itself, from version 8 a list."""

    groups: tuple[FetchedOffsetsGroup, ...]
    throttle_time: timedelta = NO_THROTTLE

    @property
    def topics(self) -> tuple[FetchedOffsetsTopic, ...]:
        return self.groups[0].topics

    @property
    def error_code(self) -> ErrorCode:
        return self.groups[0].error_code


@dataclass(frozen=True, slots=True)
class TxnPartitionResult:
    partition_index: int
    partition_error_code: ErrorCode


@dataclass(frozen=True, slots=True)
class TxnTopicResult:
    name: str
    results_by_partition: tuple[TxnPartitionResult, ...]


@dataclass(frozen=True, slots=True)
class TxnResult:
    transactional_id: str
    topic_results: tuple[TxnTopicResult, ...]


@dataclass(frozen=True, slots=True)
class TxnPartitionsAdded:
    """Up to version 3 the answer is about one transaction, from version 4 on about a list of them."""

    results_by_transaction: tuple[TxnResult, ...]
    error_code: ErrorCode = ErrorCode.none
    throttle_time: timedelta = NO_THROTTLE

    @property
    def results_by_topic_v3_and_below(self) -> tuple[TxnTopicResult, ...]:
        return self.results_by_transaction[0].topic_results


@dataclass(frozen=True, slots=True)
class TxnEnded:
    error_code: ErrorCode
    producer_id: int = -1
    producer_epoch: int = -1
    throttle_time: timedelta = NO_THROTTLE
