"""Topics and configurations through requests: what clients of confluent-kafka cannot ask, and whole answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.handlers.alter_configs import APPEND, DELETE, SET, SUBTRACT, changed
from millstream.broker.protocol import apis
from millstream.broker.topics.catalogue import TopicError
from tests.broker.batches import batch
from tests.broker.core import Core, nested, request_type

SECOND = timedelta(seconds=1)


@pytest.fixture
def core() -> Core:
    return Core()


def create(core: Core, *names: str, **changes: Any) -> list[Any]:
    topic = nested(apis.CREATE_TOPICS, 7, "CreatableTopic")
    fields = {"num_partitions": 1, "replication_factor": 1, "assignments": (), "configs": (), **changes}
    message = request_type(apis.CREATE_TOPICS, 7)(
        topics=tuple(topic(name=name, **fields) for name in names), timeout=SECOND, validate_only=False
    )
    return list(core.ask(apis.CREATE_TOPICS, 7, message).topics)


def test_a_topic_is_described_when_it_is_made(core: Core) -> None:
    config = nested(apis.CREATE_TOPICS, 7, "CreatableTopicConfig")(name="retention.ms", value="5")
    made = create(core, "t", num_partitions=-1, replication_factor=-1, configs=(config,))[0]
    assert (made.error_code, made.num_partitions, made.replication_factor) == (ErrorCode.none, 1, 1)
    told = {each.name: (each.value, each.config_source) for each in made.configs}
    assert told["retention.ms"] == ("5", 1)
    assert told["cleanup.policy"] == ("delete", 5)
    topic = core.broker.catalogue.get("t")
    assert topic is not None
    assert topic.topic_id == made.topic_id


def test_a_name_twice_in_one_request_is_refused(core: Core) -> None:
    assert [each.error_code for each in create(core, "t", "t", "u")] == [
        ErrorCode.invalid_request,
        ErrorCode.invalid_request,
        ErrorCode.none,
    ]


def test_assignments_must_name_this_broker(core: Core) -> None:
    assignment = nested(apis.CREATE_TOPICS, 7, "CreatableReplicaAssignment")
    here = tuple(assignment(partition_index=index, broker_ids=(0,)) for index in range(3))
    elsewhere = (assignment(partition_index=0, broker_ids=(2,)),)
    manual = {"num_partitions": -1, "replication_factor": -1}
    assert create(core, "a", assignments=here, **manual)[0].num_partitions == 3
    assert create(core, "b", assignments=elsewhere, **manual)[0].error_code is ErrorCode.invalid_replica_assignment
    assert create(core, "c", assignments=here)[0].error_code is ErrorCode.invalid_request


def test_alter_configs_replaces_everything(core: Core) -> None:
    config = nested(apis.CREATE_TOPICS, 7, "CreatableTopicConfig")(name="retention.ms", value="5")
    create(core, "t", configs=(config,))
    assert alter(core, 2, "t", "max.message.bytes", "100") is ErrorCode.none
    topic = core.broker.catalogue.get("t")
    assert topic is not None
    assert topic.configs == {"max.message.bytes": "100"}
    partition = core.broker.partitions.get("t", 0)
    assert partition is not None
    assert partition.log.settings.max_message_bytes == 100
    assert alter(core, 2, "t", "max.message.bytes", "-1") is ErrorCode.invalid_config
    assert alter(core, 2, "none", "max.message.bytes", "1") is ErrorCode.unknown_topic_or_partition
    assert alter(core, 4, "0", "log.dirs", "/") is ErrorCode.invalid_request


def alter(core: Core, kind: int, name: str, key: str, value: str) -> ErrorCode:
    config = nested(apis.ALTER_CONFIGS, 2, "AlterableConfig")(name=key, value=value)
    resource = nested(apis.ALTER_CONFIGS, 2, "AlterConfigsResource")(
        resource_type=kind, resource_name=name, configs=(config,)
    )
    message = request_type(apis.ALTER_CONFIGS, 2)(resources=(resource,), validate_only=False)
    code: ErrorCode = core.ask(apis.ALTER_CONFIGS, 2, message).responses[0].error_code
    return code


def test_lists_of_a_config_grow_and_shrink() -> None:
    assert changed({}, [(APPEND, "cleanup.policy", "compact")]) == {"cleanup.policy": "delete,compact"}
    both = {"cleanup.policy": "delete,compact"}
    assert changed(both, [(SUBTRACT, "cleanup.policy", "delete")]) == {"cleanup.policy": "compact"}
    assert changed(both, [(APPEND, "cleanup.policy", "compact")]) == both
    assert changed(both, [(DELETE, "cleanup.policy", None), (SET, "retention.ms", "1")]) == {"retention.ms": "1"}


@pytest.mark.parametrize(
    "change",
    [(APPEND, "retention.ms", "1"), (DELETE, "no.such", None), (SET, "retention.ms", None), (SUBTRACT, "x", "y")],
)
def test_changes_that_make_no_sense(change: tuple[int, str, str | None]) -> None:
    with pytest.raises(TopicError) as refused:
        changed({}, [change])
    assert refused.value.code is ErrorCode.invalid_config


@pytest.mark.parametrize(
    ("policy", "offset", "code"),
    [
        ("delete", 2, ErrorCode.none),
        ("delete", -1, ErrorCode.none),
        ("delete", 4, ErrorCode.offset_out_of_range),
        ("compact", 1, ErrorCode.policy_violation),
        ("compact,delete", 1, ErrorCode.none),
    ],
)
def test_records_are_deleted_up_to_an_offset(core: Core, policy: str, offset: int, code: ErrorCode) -> None:
    config = nested(apis.CREATE_TOPICS, 7, "CreatableTopicConfig")(name="cleanup.policy", value=policy)
    create(core, "t", configs=(config,))
    partition = core.broker.partitions.get("t", 0)
    assert partition is not None
    for _ in range(3):
        partition.log.append(batch(), 1)
    each = nested(apis.DELETE_RECORDS, 2, "DeleteRecordsPartition")(partition_index=0, offset=offset)
    topic = nested(apis.DELETE_RECORDS, 2, "DeleteRecordsTopic")(name="t", partitions=(each,))
    message = request_type(apis.DELETE_RECORDS, 2)(topics=(topic,), timeout=SECOND)
    result = core.ask(apis.DELETE_RECORDS, 2, message).topics[0].partitions[0]
    assert result.error_code is code
    expected = 0 if code is not ErrorCode.none else (3 if offset == -1 else offset)
    assert partition.log.start_offset == expected
