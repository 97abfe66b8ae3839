"""Settings under Kafka's names: read, refused, acted on and told."""

from __future__ import annotations

import uuid

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.broker import Broker
from millstream.broker.protocol import apis
from millstream.broker.settings import BROKER_NAMES, BrokerSettings
from millstream.broker.topics.configs import TOPIC_CONFIGS
from tests.broker.core import Core, nested, request_type


def core_with(*written: str) -> Core:
    core = Core()
    core.broker.close()
    core.broker = Broker(None, uuid.uuid4, lambda: int(core.now_ms), core.now_ms, settings=BrokerSettings.of(written))
    return core


def told(core: Core, kind: int, name: str) -> dict[str, tuple[str, int]]:
    """Value and source of each configuration of a resource."""
    resource = nested(apis.DESCRIBE_CONFIGS, 4, "DescribeConfigsResource")
    asked = resource(resource_type=kind, resource_name=name, configuration_keys=None)
    schema = request_type(apis.DESCRIBE_CONFIGS, 4)
    message = schema(resources=(asked,), include_synonyms=True, include_documentation=True)
    [result] = core.ask(apis.DESCRIBE_CONFIGS, 4, message).results
    assert result.error_code is ErrorCode.none
    return {each.name: (each.value, each.config_source) for each in result.configs}


def test_the_broker_tells_its_settings() -> None:
    core = core_with("num.partitions=4", "log.retention.ms=1000", "auto.create.topics.enable=FALSE")
    configs = told(core, 4, "0")
    assert configs["num.partitions"] == ("4", 4)
    assert configs["auto.create.topics.enable"] == ("false", 4)
    assert configs["log.retention.ms"] == ("1000", 4)
    assert configs["log.segment.bytes"] == ("1073741824", 5)
    assert configs["advertised.listeners"] == ("PLAINTEXT://127.0.0.1:9092", 4)
    assert configs["group.min.session.timeout.ms"] == ("6000", 4)


def test_settings_for_all_topics_act_on_topics_that_say_nothing_themselves() -> None:
    core = core_with("log.segment.bytes=100", "message.max.bytes=50", "num.partitions=2")
    core.broker.create_topic("plain", 1, {})
    core.broker.create_topic("own", 1, {"segment.bytes": "999"})
    plain, own = (core.broker.partitions.get(name, 0) for name in ("plain", "own"))
    assert plain is not None
    assert own is not None
    assert (plain.log.settings.segment_bytes, plain.log.settings.max_message_bytes) == (100, 50)
    assert (own.log.settings.segment_bytes, own.log.settings.max_message_bytes) == (999, 50)
    assert told(core, 2, "plain")["segment.bytes"] == ("100", 4)
    assert told(core, 2, "own")["segment.bytes"] == ("999", 1)
    assert told(core, 2, "own")["retention.ms"] == ("604800000", 5)


def test_names_for_all_topics_are_names_of_topics() -> None:
    assert set(BROKER_NAMES.values()) <= set(TOPIC_CONFIGS)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("num.partitions", "a setting is NAME=VALUE"),
        ("num.partitions=0", "num.partitions is a number from 1 to 10000"),
        ("num.partitions=-1", "num.partitions is a number"),
        ("num.partitions=x", "num.partitions is a number"),
        ("auto.create.topics.enable=yes", "is true or false"),
        ("log.retention.m=1", "did you mean 'log.retention.ms'"),
        ("log.cleanup.policy=maybe", "Invalid value maybe for configuration cleanup.policy"),
    ],
)
def test_others_are_refused(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BrokerSettings.of([written])
