"""Answers about consumer groups of the new protocol."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from kio.schema.errors import ErrorCode

from millstream.broker.protocol.answers.cluster import UNKNOWN_OPERATIONS
from millstream.broker.protocol.answers.data import NO_THROTTLE


@dataclass(frozen=True, slots=True)
class AssignedTopic:
    topic_id: UUID
    partitions: tuple[int, ...]
    topic_name: str = ""


@dataclass(frozen=True, slots=True)
class Assigned:
    topic_partitions: tuple[AssignedTopic, ...] = ()


@dataclass(frozen=True, slots=True)
class Beaten:
    """ConsumerGroupHeartbeat; without `assignment` the member's is as it was."""

    error_code: ErrorCode
    error_message: str | None = None
    member_id: str | None = None
    member_epoch: int = 0
    heartbeat_interval: timedelta = timedelta(0)
    assignment: Assigned | None = None
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class DescribedConsumer:
    member_id: str
    instance_id: str | None
    rack_id: str | None
    member_epoch: int
    client_id: str
    client_host: str
    subscribed_topic_names: tuple[str, ...]
    subscribed_topic_regex: str | None
    assignment: Assigned
    target_assignment: Assigned
    member_type: int


@dataclass(frozen=True, slots=True)
class DescribedConsumerGroup:
    group_id: str
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    group_state: str = ""
    group_epoch: int = 0
    assignment_epoch: int = 0
    assignor_name: str = ""
    members: tuple[DescribedConsumer, ...] = ()
    authorized_operations: int = UNKNOWN_OPERATIONS


@dataclass(frozen=True, slots=True)
class DescribedConsumerGroups:
    groups: tuple[DescribedConsumerGroup, ...]
    throttle_time: timedelta = NO_THROTTLE
