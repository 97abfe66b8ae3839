"""Configurations told: DescribeConfigs, ListConfigResources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kio.schema.describe_configs.v4.request import DescribeConfigsRequest, DescribeConfigsResource
from kio.schema.errors import ErrorCode
from kio.schema.list_config_resources.v1.request import ListConfigResourcesRequest

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
    topic_defaults,
)
from millstream.broker.groups.consumer.coordinator import HEARTBEAT_INTERVAL_MS
from millstream.broker.protocol.answers.topics import (
    ConfigResource,
    ConfigResources,
    ConfigSynonym,
    DescribedConfig,
    DescribedConfigs,
    DescribedResource,
)
from millstream.broker.settings import BROKER_NAMES
from millstream.broker.topics.catalogue import Topic
from millstream.broker.topics.configs import BOOLEAN, INT, STRING, TOPIC_CONFIGS

_RESOURCE_TYPES = frozenset({TOPIC, BROKER, 8, 16, GROUP})
"""Those that Kafka has: besides, loggers and subscriptions to metrics."""
_SET_ON_TOPIC, _SET_ON_BROKER, _SET_ON_BROKERS, _STATIC, _DEFAULT, _SET_ON_GROUP = 1, 2, 3, 4, 5, 8


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
    found: Iterator[DescribedConfig] | None = None
    if kind == BROKER and name == str(broker.settings.node_id):
        found = _broker_configs(broker, call)
    elif kind == BROKER and name == ALL_BROKERS:
        found = _set_on_brokers(broker)
    elif kind == GROUP and name:
        found = _group_configs(broker, name)
    if found is not None:
        configs = tuple(each for each in found if wanted is None or each.name in wanted)
        return DescribedResource(kind, name, configs=configs)
    if kind != TOPIC:
        text = "Only topics, this broker and groups have configs."
        return DescribedResource(kind, name, ErrorCode.invalid_request, text)
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
    """What the broker was started with, what it was given since, and where this client reaches it."""
    listener = f"PLAINTEXT://{call.host}:{call.port}"
    fixed = {"advertised.listeners": listener, "listeners": listener, "broker.id": str(broker.settings.node_id)}
    for name, text in (fixed | {"default.replication.factor": "1", "delete.topic.enable": "true"}).items():
        yield DescribedConfig(name, text, _STATIC, STRING, read_only=True)
    for name, (value, doc) in broker.settings.told().items():
        kind = BOOLEAN if isinstance(value, bool) else INT
        yield DescribedConfig(name, str(value).lower(), _STATIC, kind, (), doc, read_only=True)
    for name, topic_name in BROKER_NAMES.items():
        config = TOPIC_CONFIGS[topic_name]
        known = _known(topic_name, _defaults(broker))
        yield DescribedConfig(name, known[0].value, known[0].source, config.kind, (), config.doc)
    given = {**_given(broker, ALL_BROKERS, _SET_ON_BROKERS), **_given(broker, _own(broker), _SET_ON_BROKER)}
    for name, (text, source) in given.items():
        if name not in BROKER_NAMES:
            yield DescribedConfig(name, text, source, WITHOUT_MEANING[name])


def _set_on_brokers(broker: Broker) -> Iterator[DescribedConfig]:
    for name, (text, source) in _given(broker, ALL_BROKERS, _SET_ON_BROKERS).items():
        kind = TOPIC_CONFIGS[BROKER_NAMES[name]].kind if name in BROKER_NAMES else WITHOUT_MEANING[name]
        yield DescribedConfig(name, text, source, kind)


def _given(broker: Broker, name: str, source: int) -> dict[str, tuple[str, int]]:
    return {key: (text, source) for key, text in broker.dynamic.get(BROKER, name).items()}


def _own(broker: Broker) -> str:
    return str(broker.settings.node_id)


def _group_configs(broker: Broker, name: str) -> Iterator[DescribedConfig]:
    """All that a group can have, whether it exists or not."""
    defaults = {HEARTBEAT: HEARTBEAT_INTERVAL_MS, SESSION: broker.settings.consumer_session_ms}
    own = broker.dynamic.get(GROUP, name)
    for key, doc in GROUP_CONFIGS.items():
        text, source = (own[key], _SET_ON_GROUP) if key in own else (str(defaults[key]), _DEFAULT)
        yield DescribedConfig(key, text, source, INT, (), doc)


def _defaults(broker: Broker) -> tuple[tuple[Mapping[str, str], int], ...]:
    """What topics have that say nothing themselves, from the least to the most particular, with where it is from."""
    everywhere, here = (broker.dynamic.get(BROKER, name) for name in (ALL_BROKERS, _own(broker)))
    return (
        (broker.settings.topic_defaults, _STATIC),
        (topic_defaults(everywhere), _SET_ON_BROKERS),
        (topic_defaults(here), _SET_ON_BROKER),
    )


def _known(key: str, layers: tuple[tuple[Mapping[str, str], int], ...]) -> list[ConfigSynonym]:
    """The values of a topic's setting, the one that counts first."""
    known = [ConfigSynonym(key, TOPIC_CONFIGS[key].default, _DEFAULT)]
    for configs, source in layers:
        if key in configs:
            known.insert(0, ConfigSynonym(key, configs[key], source))
    return known


def _topic_config(broker: Broker, topic: Topic, key: str, *, synonyms: bool, docs: bool) -> DescribedConfig:
    config = TOPIC_CONFIGS[key]
    known = _known(key, (*_defaults(broker), (topic.configs, _SET_ON_TOPIC)))
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
    asked: set[int] = {*message.resource_types} or {TOPIC, BROKER, GROUP}
    if call.version == 0:
        asked = set()
    if not asked <= _RESOURCE_TYPES:
        reply(ConfigResources((), ErrorCode.unsupported_version))
        return
    topics = [ConfigResource(topic.name, TOPIC) for topic in broker.catalogue.topics() if TOPIC in asked]
    brokers = [ConfigResource(_own(broker), BROKER)] if BROKER in asked else []
    groups = [ConfigResource(name, GROUP) for name in broker.dynamic.names(GROUP) if GROUP in asked]
    reply(ConfigResources((*topics, *brokers, *groups)))
