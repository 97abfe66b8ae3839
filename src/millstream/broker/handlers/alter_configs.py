"""Configurations changed: AlterConfigs, IncrementalAlterConfigs; of topics, of this and all brokers, of groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kio.schema.alter_configs.v2.request import AlterConfigsRequest
from kio.schema.errors import ErrorCode
from kio.schema.incremental_alter_configs.v1.request import IncrementalAlterConfigsRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.dynamic import (
    ALL_BROKERS,
    BROKER,
    GROUP,
    GROUP_CONFIGS,
    HEARTBEAT,
    SESSION,
    TOPIC,
    WITHOUT_MEANING,
    broker_problem,
    group_problem,
)
from millstream.broker.groups.consumer.coordinator import HEARTBEAT_INTERVAL_MS
from millstream.broker.protocol.answers.topics import AlteredConfigs, AlteredResource
from millstream.broker.settings import BROKER_NAMES
from millstream.broker.topics.catalogue import TopicError
from millstream.broker.topics.configs import LIST, TOPIC_CONFIGS, config_problem

SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3

Change = tuple[int, str, str | None]
"""Operation, name, value."""


def alter_configs(broker: Broker, call: Call, message: AlterConfigsRequest, reply: Reply) -> None:
    """Replaces whole configurations."""
    results = []
    for each in message.resources:
        changes = [(SET, config.name, config.value) for config in each.configs]
        result = _alter(broker, (each.resource_type, each.resource_name), changes, message.validate_only, anew=True)
        results.append(result)
    reply(AlteredConfigs(tuple(results)))


def incremental_alter_configs(
    broker: Broker, call: Call, message: IncrementalAlterConfigsRequest, reply: Reply
) -> None:
    results = []
    for each in message.resources:
        changes = [(config.config_operation, config.name, config.value) for config in each.configs]
        result = _alter(broker, (each.resource_type, each.resource_name), changes, message.validate_only, anew=False)
        results.append(result)
    reply(AlteredConfigs(tuple(results)))


@dataclass(frozen=True, slots=True)
class Names:
    """The settings that a kind of resource has: which there are, what is wrong with a value, defaults of lists."""

    known: Callable[[str], bool]
    problem: Callable[[str, str | None], str | None]
    list_default: Callable[[str], str | None]
    refusal: ErrorCode = ErrorCode.invalid_config


def _topic_list(name: str) -> str | None:
    config = TOPIC_CONFIGS.get(name)
    return config.default if config is not None and config.kind == LIST else None


_OF_TOPICS = Names(TOPIC_CONFIGS.__contains__, config_problem, _topic_list)
_OF_BROKERS = Names(
    lambda name: name in BROKER_NAMES or name in WITHOUT_MEANING,
    broker_problem,
    lambda name: _topic_list(BROKER_NAMES.get(name, "")),
    ErrorCode.invalid_request,
)
"""Kafka refuses a broker's settings as an invalid request (KAFKA-13609)."""
_OF_GROUPS = Names(GROUP_CONFIGS.__contains__, group_problem, lambda name: None)


def _alter(
    broker: Broker, resource: tuple[int, str], changes: Iterable[Change], validate_only: bool, *, anew: bool
) -> AlteredResource:
    kind, name = resource
    try:
        names, before = _resource(broker, kind, name)
        after = changed({} if anew else before, changes, names)
        if kind == GROUP:
            _check_group(broker, name, after)
        if not validate_only:
            broker.configure(kind, name, after)
    except TopicError as error:
        return AlteredResource(kind, name, error.code, str(error))
    except OSError as error:
        return AlteredResource(kind, name, ErrorCode.kafka_storage_error, str(error))
    return AlteredResource(kind, name)


def _resource(broker: Broker, kind: int, name: str) -> tuple[Names, Mapping[str, str]]:
    """What the resource's settings may be, and what they are. Raises TopicError if there is none."""
    if kind == TOPIC:
        topic = broker.catalogue.get(name)
        if topic is None:
            raise TopicError(ErrorCode.unknown_topic_or_partition, f"There is no topic '{name}'.")
        return _OF_TOPICS, topic.configs
    if kind == BROKER:
        own = str(broker.settings.node_id)
        if name not in {ALL_BROKERS, own}:
            text = f"Unexpected broker id, expected {own} or empty string, but received {name}"
            raise TopicError(ErrorCode.invalid_request, text)
        return _OF_BROKERS, broker.dynamic.get(BROKER, name)
    if kind == GROUP:
        if not name:
            raise TopicError(ErrorCode.invalid_request, "Default group resources are not allowed.")
        return _OF_GROUPS, broker.dynamic.get(GROUP, name)
    raise TopicError(ErrorCode.invalid_request, "Only topics, brokers and groups have configs that can be changed.")


def _check_group(broker: Broker, name: str, after: Mapping[str, str]) -> None:
    """Raise TopicError if there are too many groups with configs, or members could not beat in time."""
    groups = broker.dynamic.names(GROUP)
    if name not in groups and len(groups) >= broker.settings.groups:
        text = f"There are configs of {len(groups)} groups, and no more are allowed here (max.groups)."
        raise TopicError(ErrorCode.policy_violation, text)
    session = int(after.get(SESSION, broker.settings.consumer_session_ms))
    if session <= int(after.get(HEARTBEAT, HEARTBEAT_INTERVAL_MS)):
        raise TopicError(ErrorCode.invalid_config, f"{SESSION} must be greater than {HEARTBEAT}")


def changed(before: Mapping[str, str], changes: Iterable[Change], names: Names = _OF_TOPICS) -> dict[str, str]:
    """The configuration after the changes. Raises TopicError.

    >>> changed({"cleanup.policy": "delete"}, [(APPEND, "cleanup.policy", "compact")])
    {'cleanup.policy': 'delete,compact'}
    """
    after = dict(before)
    for operation, name, value in changes:
        if operation == DELETE:
            if not names.known(name):
                raise TopicError(names.refusal, names.problem(name, value) or "")
            after.pop(name, None)
            continue
        new = value
        if operation in {APPEND, SUBTRACT}:
            new = _changed_list(name, after.get(name, names.list_default(name)), operation, value or "", names)
        problem = names.problem(name, new)
        if problem or new is None:
            raise TopicError(names.refusal, problem or "")
        after[name] = new
    return after


def _changed_list(name: str, current: str | None, operation: int, value: str, names: Names) -> str:
    if current is None or names.list_default(name) is None:
        text = f"Config value append and subtract are only for lists, and {name} is none."
        raise TopicError(ErrorCode.invalid_config, text)
    items = [item for item in current.split(",") if item]
    named = [item for item in value.split(",") if item]
    if operation == APPEND:
        return ",".join(items + [item for item in named if item not in items])
    return ",".join(item for item in items if item not in named)
