"""Answers about the cluster: ApiVersions, Metadata, DescribeCluster, FindCoordinator, producer ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from kio.schema.errors import ErrorCode

from millstream.broker.protocol.answers.data import NO_THROTTLE

UNKNOWN_OPERATIONS = -(2**31)


@dataclass(frozen=True, slots=True)
class ServedApi:
    api_key: int
    min_version: int
    max_version: int


@dataclass(frozen=True, slots=True)
class SupportedFeature:
    name: str
    min_version: int
    max_version: int


@dataclass(frozen=True, slots=True)
class FinalizedFeature:
    name: str
    max_version_level: int
    min_version_level: int


@dataclass(frozen=True, slots=True)
class ServedApis:
    error_code: ErrorCode
    api_keys: tuple[ServedApi, ...]
    throttle_time: timedelta = NO_THROTTLE
    supported_features: tuple[SupportedFeature, ...] = ()
    finalized_features_epoch: int = -1
    finalized_features: tuple[FinalizedFeature, ...] = ()
    zk_migration_ready: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A broker, as Metadata (`node_id`) and DescribeCluster (`broker_id`) name it."""

    node_id: int
    host: str
    port: int
    rack: str | None = None
    is_fenced: bool = False

    @property
    def broker_id(self) -> int:
        return self.node_id


@dataclass(frozen=True, slots=True)
class PartitionMetadata:
    """A partition, as Metadata and DescribeTopicPartitions tell it."""

    error_code: ErrorCode
    partition_index: int
    leader_id: int
    leader_epoch: int
    replica_nodes: tuple[int, ...]
    isr_nodes: tuple[int, ...]
    offline_replicas: tuple[int, ...] = ()
    eligible_leader_replicas: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicMetadata:
    error_code: ErrorCode
    name: str | None
    topic_id: UUID | None
    partitions: tuple[PartitionMetadata, ...]
    is_internal: bool = False
    topic_authorized_operations: int = UNKNOWN_OPERATIONS


@dataclass(frozen=True, slots=True)
class Metadata:
    brokers: tuple[Node, ...]
    cluster_id: str
    controller_id: int
    topics: tuple[TopicMetadata, ...]
    throttle_time: timedelta = NO_THROTTLE
    cluster_authorized_operations: int = UNKNOWN_OPERATIONS
    error_code: ErrorCode = ErrorCode.none


@dataclass(frozen=True, slots=True)
class Cursor:
    topic_name: str
    partition_index: int


@dataclass(frozen=True, slots=True)
class DescribedTopicPartitions:
    topics: tuple[TopicMetadata, ...]
    next_cursor: Cursor | None = None
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    cluster_id: str
    controller_id: int
    brokers: tuple[Node, ...]
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    cluster_authorized_operations: int = UNKNOWN_OPERATIONS
    throttle_time: timedelta = NO_THROTTLE
    endpoint_type: int = 1


@dataclass(frozen=True, slots=True)
class Coordinator:
    key: str
    error_code: ErrorCode
    node_id: int
    host: str
    port: int
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class Coordinators:
    """Up to version 3 the answer is the first coordinator itself, from version 4 a list."""

    coordinators: tuple[Coordinator, ...]
    throttle_time: timedelta = NO_THROTTLE

    @property
    def error_code(self) -> ErrorCode:
        return self.coordinators[0].error_code

    @property
    def error_message(self) -> str | None:
        return self.coordinators[0].error_message

    @property
    def node_id(self) -> int:
        return self.coordinators[0].node_id

    @property
    def host(self) -> str:
        return self.coordinators[0].host

    @property
    def port(self) -> int:
        return self.coordinators[0].port


@dataclass(frozen=True, slots=True)
class ProducerIdentity:
    error_code: ErrorCode
    producer_id: int = -1
    producer_epoch: int = -1
    throttle_time: timedelta = NO_THROTTLE
