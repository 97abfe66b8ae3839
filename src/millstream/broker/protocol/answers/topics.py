"""Answers about topics and their configurations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from kio.schema.errors import ErrorCode

from millstream.broker.protocol.answers.data import NO_THROTTLE


@dataclass(frozen=True, slots=True)
class CreatedTopicConfig:
    name: str
    value: str | None
    read_only: bool
    config_source: int
    is_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    name: str
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    topic_id: UUID | None = None
    topic_config_error_code: int = 0
    num_partitions: int = -1
    replication_factor: int = -1
    configs: tuple[CreatedTopicConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class CreatedTopics:
    topics: tuple[CreatedTopic, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class TopicResult:
    name: str
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class DeletedTopic:
    name: str | None
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    topic_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DeletedTopics:
    responses: tuple[DeletedTopic, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class CreatedPartitions:
    results: tuple[TopicResult, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class ConfigSynonym:
    name: str
    value: str | None
    source: int


@dataclass(frozen=True, slots=True)
class DescribedConfig:
    name: str
    value: str | None
    config_source: int
    config_type: int
    synonyms: tuple[ConfigSynonym, ...] = ()
    documentation: str | None = None
    read_only: bool = False
    is_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class DescribedResource:
    resource_type: int
    resource_name: str
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None
    configs: tuple[DescribedConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedConfigs:
    results: tuple[DescribedResource, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class AlteredResource:
    resource_type: int
    resource_name: str
    error_code: ErrorCode = ErrorCode.none
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class AlteredConfigs:
    responses: tuple[AlteredResource, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class ConfigResource:
    resource_name: str
    resource_type: int


@dataclass(frozen=True, slots=True)
class ConfigResources:
    config_resources: tuple[ConfigResource, ...]
    error_code: ErrorCode = ErrorCode.none
    throttle_time: timedelta = NO_THROTTLE
