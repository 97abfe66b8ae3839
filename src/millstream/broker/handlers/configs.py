"""Configurations told and changed: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kio.schema.alter_configs.v2.request import AlterConfigsRequest
from kio.schema.describe_configs.v4.request import DescribeConfigsRequest, DescribeConfigsResource
from kio.schema.errors import ErrorCode
from kio.schema.incremental_alter_configs.v1.request import IncrementalAlterConfigsRequest
from kio.schema.list_config_resources.v1.request import ListConfigResourcesRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.protocol.answers.topics import (
    AlteredConfigs,
    AlteredResource,
    ConfigResource,
    ConfigResources,
    ConfigSynonym,
    DescribedConfig,
    DescribedConfigs,
    DescribedResource,
)
from millstream.broker.settings import BROKER_NAMES
from millstream.broker.topics.catalogue import Topic, TopicError
from millstream.broker.topics.configs import BOOLEAN, INT, LIST, STRING, TOPIC_CONFIGS, config_problem

TOPIC, BROKER = 2, 4
_RESOURCE_TYPES = frozenset({TOPIC, BROKER, 8, 16, 32})
"""Those that Kafka has: besides, loggers, subscriptions to metrics, and groups."""
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3
_SET_ON_TOPIC, _STATIC, _DEFAULT = 1, 4, 5


def describe_configs(broker: Broker, call: Call, message: DescribeConfigsRequest, reply: Reply) -> None:
    results = tuple(
        _described(broker, call, each, synonyms=message.include_synonyms, docs=message.include_documentation)
        for each in message.resources
    )
    reply(DescribedConfigs(results))


def _described(
    broker: Broker, call: Call, asked: DescribeConfigsResource, *, synonyms: bool, docs: bool
) -> DescribedResource:
    kind, name = asked.resource_type, asked.resource_name
    keys = asked.configuration_keys
    wanted = set(keys) if keys else None
    if kind == BROKER and name in {"", str(broker.settings.node_id)}:
        configs = tuple(each for each in _broker_configs(broker, call) if wanted is None or each.name in wanted)
        return DescribedResource(kind, name, configs=configs)
    if kind != TOPIC:
        return DescribedResource(kind, name, ErrorCode.invalid_request, "Only topics and this broker have configs.")
    topic = broker.catalogue.get(name)
    if topic is None:
        return DescribedResource(kind, name, ErrorCode.unknown_topic_or_partition, f"There is no topic '{name}'.")
    configs = tuple(
        _topic_config(broker, topic, key, synonyms=synonyms, docs=docs)
        for key in TOPIC_CONFIGS
        if wanted is None or key in wanted
    )
    return DescribedResource(kind, name, configs=configs)


def _broker_configs(broker: Broker, call: Call) -> Iterator[DescribedConfig]:
    """What the broker was started with, and where this client reaches it."""
    listener = f"PLAINTEXT://{call.host}:{call.port}"
    fixed = {"advertised.listeners": listener, "listeners": listener, "broker.id": str(broker.settings.node_id)}
    for name, text in (fixed | {"default.replication.factor": "1", "delete.topic.enable": "true"}).items():
        yield DescribedConfig(name, text, _STATIC, STRING, read_only=True)
    for name, (value, doc) in broker.settings.told().items():
        kind = BOOLEAN if isinstance(value, bool) else INT
        yield DescribedConfig(name, str(value).lower(), _STATIC, kind, (), doc, read_only=True)
    for name, topic_name in BROKER_NAMES.items():
        config = TOPIC_CONFIGS[topic_name]
        own = broker.settings.topic_defaults.get(topic_name)
        text, source = (config.default, _DEFAULT) if own is None else (own, _STATIC)
        yield DescribedConfig(name, text, source, config.kind, (), config.doc, read_only=True)


def _topic_config(broker: Broker, topic: Topic, key: str, *, synonyms: bool, docs: bool) -> DescribedConfig:
    config = TOPIC_CONFIGS[key]
    known = [ConfigSynonym(key, config.default, _DEFAULT)]
    for configs, source in ((broker.settings.topic_defaults, _STATIC), (topic.configs, _SET_ON_TOPIC)):
        if key in configs:
            known.insert(0, ConfigSynonym(key, configs[key], source))
    return DescribedConfig(
        key,
        known[0].value,
        known[0].source,
        config.kind,
        tuple(known) if synonyms else (),
        config.doc if docs else None,
    )


def list_config_resources(broker: Broker, call: Call, message: ListConfigResourcesRequest, reply: Reply) -> None:
    """Version 0 asks for subscriptions to clients' metrics, of which there are none; later ones name the types."""
    asked: set[int] = {*message.resource_types} or {TOPIC, BROKER}
    if call.version == 0:
        asked = set()
    if not asked <= _RESOURCE_TYPES:
        reply(ConfigResources((), ErrorCode.unsupported_version))
        return
    topics = [ConfigResource(topic.name, TOPIC) for topic in broker.catalogue.topics() if TOPIC in asked]
    brokers = [ConfigResource(str(broker.settings.node_id), BROKER)] if BROKER in asked else []
    reply(ConfigResources((*topics, *brokers)))


def alter_configs(broker: Broker, call: Call, message: AlterConfigsRequest, reply: Reply) -> None:
    """Replaces a topic's whole configuration."""
    results = []
    for each in message.resources:
        changes = [(SET, config.name, config.value) for config in each.configs]
        result = _alter(broker, (each.resource_type, each.resource_name), {}, changes, message.validate_only)
        results.append(result)
    reply(AlteredConfigs(tuple(results)))


def incremental_alter_configs(
    broker: Broker, call: Call, message: IncrementalAlterConfigsRequest, reply: Reply
) -> None:
    results = []
    for each in message.resources:
        topic = broker.catalogue.get(each.resource_name)
        changes = [(config.config_operation, config.name, config.value) for config in each.configs]
        before = topic.configs if topic is not None else {}
        result = _alter(broker, (each.resource_type, each.resource_name), before, changes, message.validate_only)
        results.append(result)
    reply(AlteredConfigs(tuple(results)))


Change = tuple[int, str, str | None]


def _alter(
    broker: Broker,
    resource: tuple[int, str],
    before: Mapping[str, str],
    changes: Iterable[Change],
    validate_only: bool,
) -> AlteredResource:
    kind, name = resource
    if kind != TOPIC:
        return AlteredResource(kind, name, ErrorCode.invalid_request, "Only configs of topics can be changed.")
    if broker.catalogue.get(name) is None:
        return AlteredResource(kind, name, ErrorCode.unknown_topic_or_partition, f"There is no topic '{name}'.")
    try:
        after = changed(before, changes)
    except TopicError as error:
        return AlteredResource(kind, name, error.code, str(error))
    try:
        if not validate_only:
            broker.partitions.configure(broker.catalogue.configure(name, after))
    except OSError as error:
        return AlteredResource(kind, name, ErrorCode.kafka_storage_error, str(error))
    return AlteredResource(kind, name)


def changed(before: Mapping[str, str], changes: Iterable[Change]) -> dict[str, str]:
    """The configuration after the changes. Raises TopicError.

    >>> changed({"cleanup.policy": "delete"}, [(APPEND, "cleanup.policy", "compact")])
    {'cleanup.policy': 'delete,compact'}
    """
    after = dict(before)
    for operation, name, value in changes:
        if operation == DELETE:
            if name not in TOPIC_CONFIGS:
                raise TopicError(ErrorCode.invalid_config, config_problem(name, value) or "")
            after.pop(name, None)
            continue
        new = value
        if operation in {APPEND, SUBTRACT}:
            new = _changed_list(name, after.get(name), operation, value or "")
        problem = config_problem(name, new)
        if problem or new is None:
            raise TopicError(ErrorCode.invalid_config, problem or "")
        after[name] = new
    return after


def _changed_list(name: str, current: str | None, operation: int, value: str) -> str:
    config = TOPIC_CONFIGS.get(name)
    if config is None or config.kind != LIST:
        text = f"Config value append and subtract are only for lists, and {name} is none."
        raise TopicError(ErrorCode.invalid_config, text)
    items = [item for item in (config.default if current is None else current).split(",") if item]
    named = [item for item in value.split(",") if item]
    if operation == APPEND:
        return ",".join(items + [item for item in named if item not in items])
    return ",".join(item for item in items if item not in named)
