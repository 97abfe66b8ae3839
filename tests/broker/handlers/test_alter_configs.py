"""Configurations of brokers and groups: changed while the broker runs, told, acted on, and there after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.dynamic import BROKER, GROUP, HEARTBEAT, SESSION, TOPIC
from millstream.broker.handlers.alter_configs import APPEND, DELETE, SET, SUBTRACT, Change
from millstream.broker.protocol import apis
from tests.broker.core import Core, nested, request_type

NONE = ErrorCode.none


@pytest.fixture
def core() -> Core:
    return Core()


def incrementally(core: Core, kind: int, name: str, changes: Sequence[Change], *, only: bool = False) -> ErrorCode:
    key = apis.INCREMENTAL_ALTER_CONFIGS
    config = nested(key, 1, "AlterableConfig")
    configs = tuple(config(config_operation=how, name=what, value=value) for how, what, value in changes)
    resource = nested(key, 1, "AlterConfigsResource")(resource_type=kind, resource_name=name, configs=configs)
    message = request_type(key, 1)(resources=(resource,), validate_only=only)
    code: ErrorCode = core.ask(key, 1, message).responses[0].error_code
    return code


def told(core: Core, kind: int, name: str) -> dict[str, tuple[str | None, int]]:
    """Value and source of each setting."""
    key = apis.DESCRIBE_CONFIGS
    resource = nested(key, 4, "DescribeConfigsResource")(
        resource_type=kind, resource_name=name, configuration_keys=None
    )
    message = request_type(key, 4)(resources=(resource,), include_synonyms=False, include_documentation=False)
    result = core.ask(key, 4, message).results[0]
    assert result.error_code is NONE
    return {each.name: (each.value, each.config_source) for each in result.configs}


def retention(core: Core, topic: str) -> int:
    partition = core.broker.partitions.get(topic, 0)
    assert partition is not None
    return partition.log.settings.retention.age_ms


def test_what_a_broker_is_given_acts_on_topics_that_say_nothing_themselves(core: Core) -> None:
    core.broker.create_topic("own", 1, {"retention.ms": "7"})
    core.broker.create_topic("t", 1, {})
    assert incrementally(core, BROKER, "", [(SET, "log.retention.ms", "1000")]) is NONE
    assert (retention(core, "t"), retention(core, "own")) == (1000, 7)
    assert told(core, TOPIC, "t")["retention.ms"] == ("1000", 3)
    assert incrementally(core, BROKER, "0", [(SET, "log.retention.ms", "2000")]) is NONE
    assert retention(core, "t") == 2000
    assert told(core, TOPIC, "t")["retention.ms"] == told(core, BROKER, "0")["log.retention.ms"] == ("2000", 2)
    core.broker.create_topic("later", 1, {})
    assert retention(core, "later") == 2000
    assert incrementally(core, BROKER, "0", [(DELETE, "log.retention.ms", None)]) is NONE
    assert retention(core, "t") == 1000


def test_lists_of_a_broker_grow_and_shrink(core: Core) -> None:
    name = "log.cleanup.policy"
    assert incrementally(core, BROKER, "0", [(APPEND, name, "compact"), (SET, "background.threads", "9")]) is NONE
    assert told(core, BROKER, "0")[name] == ("delete,compact", 2)
    assert told(core, BROKER, "0")["background.threads"] == ("9", 2)
    changes = [(SUBTRACT, name, "compact"), (DELETE, "background.threads", "")]
    assert incrementally(core, BROKER, "0", changes) is NONE
    assert told(core, BROKER, "0")[name] == ("delete", 2)
    assert "background.threads" not in told(core, BROKER, "0")


def test_all_brokers_have_what_all_were_given(core: Core) -> None:
    assert told(core, BROKER, "") == {}
    assert incrementally(core, BROKER, "", [(SET, "num.io.threads", "4"), (SET, "log.segment.bytes", "99")]) is NONE
    assert told(core, BROKER, "") == {"num.io.threads": ("4", 3), "log.segment.bytes": ("99", 3)}
    assert told(core, BROKER, "0")["num.io.threads"] == ("4", 3)


@pytest.mark.parametrize(
    ("kind", "name", "change", "code"),
    [
        (BROKER, "0", (SET, "node.id", "3"), ErrorCode.invalid_request),
        (BROKER, "0", (SET, "num.io.threads", "many"), ErrorCode.invalid_request),
        (BROKER, "0", (SET, "transaction.partition.verification.enable", "maybe"), ErrorCode.invalid_request),
        (BROKER, "0", (SET, "log.retention.ms", "-2"), ErrorCode.invalid_request),
        (BROKER, "0", (APPEND, "num.io.threads", "1"), ErrorCode.invalid_config),
        (BROKER, "1", (SET, "num.io.threads", "4"), ErrorCode.invalid_request),
        (GROUP, "", (SET, SESSION, "50000"), ErrorCode.invalid_request),
        (GROUP, "g", (SET, SESSION, "0"), ErrorCode.invalid_config),
        (GROUP, "g", (SET, SESSION, "500"), ErrorCode.invalid_config),
        (GROUP, "g", (SET, HEARTBEAT, "45000"), ErrorCode.invalid_config),
        (GROUP, "g", (SET, "share.auto.offset.reset", "latest"), ErrorCode.invalid_config),
        (GROUP, "g", (DELETE, "no.such", None), ErrorCode.invalid_config),
        (16, "metrics", (SET, "interval.ms", "1000"), ErrorCode.invalid_request),
    ],
)
def test_what_is_refused_changes_nothing(core: Core, kind: int, name: str, change: Change, code: ErrorCode) -> None:
    assert incrementally(core, kind, name, [change]) is code
    assert core.broker.dynamic.names(kind) == []


def test_a_trial_changes_nothing(core: Core) -> None:
    assert incrementally(core, GROUP, "g", [(SET, SESSION, "50000")], only=True) is NONE
    assert core.broker.dynamic.names(GROUP) == []


def beat(core: Core, epoch: int = 0, **fields: Any) -> Any:
    schema = request_type(apis.CONSUMER_GROUP_HEARTBEAT, 1)
    joins = (
        {"rebalance_timeout": timedelta(seconds=60), "subscribed_topic_names": ("t",), "topic_partitions": ()}
        if not epoch
        else {}
    )
    known = {"group_id": "g", "member_id": "m", "member_epoch": epoch, **joins, **fields}
    return core.ask(apis.CONSUMER_GROUP_HEARTBEAT, 1, schema(**known))


def test_a_group_has_its_own_session_and_heartbeats(core: Core) -> None:
    core.broker.create_topic("t", 1, {})
    assert told(core, GROUP, "g") == {HEARTBEAT: ("500", 5), SESSION: ("45000", 5)}
    assert incrementally(core, GROUP, "g", [(SET, SESSION, "9000"), (SET, HEARTBEAT, "3000")]) is NONE
    assert told(core, GROUP, "g") == {HEARTBEAT: ("3000", 8), SESSION: ("9000", 8)}
    joined = beat(core)
    assert (joined.error_code, joined.heartbeat_interval.total_seconds()) == (NONE, 3)
    group = core.broker.groups.consumer.get("g")
    assert group is not None
    core.advance(8999)
    assert group.members
    core.advance(2)
    assert not group.members


def test_groups_with_configurations_are_listed(core: Core) -> None:
    incrementally(core, GROUP, "g", [(SET, SESSION, "9000")])
    listed = core.ask(apis.LIST_CONFIG_RESOURCES, 1, request_type(apis.LIST_CONFIG_RESOURCES, 1)(resource_types=(32,)))
    assert [(each.resource_name, each.resource_type) for each in listed.config_resources] == [("g", GROUP)]


def test_they_outlive_the_broker(tmp_path: Path) -> None:
    first = Core(tmp_path)
    first.broker.create_topic("t", 1, {})
    incrementally(first, BROKER, "0", [(SET, "log.retention.ms", "1000")])
    incrementally(first, GROUP, "g/1", [(SET, SESSION, "9000")])
    first.broker.close()
    again = Core(tmp_path)
    assert retention(again, "t") == 1000
    assert told(again, GROUP, "g/1")[SESSION] == ("9000", 8)
    again.broker.close()
