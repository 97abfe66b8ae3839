"""What administrators ask: pages of partitions, log folders, elections, producers, transactions, features."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.protocol import apis
from tests.broker.core import Core, nested, request_type
from tests.broker.transactions.client import TransactionalProducer

SECOND = timedelta(seconds=1)


@pytest.fixture
def core() -> Core:
    core = Core()
    core.broker.create_topic("t", 3, {})
    core.broker.create_topic("u", 2, {})
    return core


def page(core: Core, limit: int, cursor: Any = None, names: tuple[str, ...] = ()) -> Any:
    topic = nested(apis.DESCRIBE_TOPIC_PARTITIONS, 0, "TopicRequest")
    message = request_type(apis.DESCRIBE_TOPIC_PARTITIONS, 0)(
        topics=tuple(topic(name=name) for name in names), response_partition_limit=limit, cursor=cursor
    )
    return core.ask(apis.DESCRIBE_TOPIC_PARTITIONS, 0, message)


def test_topics_are_described_page_by_page(core: Core) -> None:
    cursor_type = nested(apis.DESCRIBE_TOPIC_PARTITIONS, 0, "Cursor")
    seen, cursor = [], None
    while True:
        answer = page(core, 2, cursor)
        told = [(topic.name, each.partition_index) for topic in answer.topics for each in topic.partitions]
        assert 0 < len(told) <= 2
        seen += told
        if answer.next_cursor is None:
            break
        following = answer.next_cursor
        cursor = cursor_type(topic_name=following.topic_name, partition_index=following.partition_index)
    assert seen == [("t", 0), ("t", 1), ("t", 2), ("u", 0), ("u", 1)]
    unknown = page(core, 9, names=("none",)).topics[0]
    assert unknown.error_code is ErrorCode.unknown_topic_or_partition
    assert core.broker.catalogue.get("none") is None


def log_folders(core: Core, topics: Any = None) -> Any:
    return core.ask(apis.DESCRIBE_LOG_DIRS, 4, request_type(apis.DESCRIBE_LOG_DIRS, 4)(topics=topics)).results


def test_log_folders(core: Core, tmp_path: Path) -> None:
    memory = log_folders(core)[0]
    assert (memory.log_dir, memory.total_bytes) == ("memory", -1)
    assert [(topic.name, len(topic.partitions)) for topic in memory.topics] == [("t", 3), ("u", 2)]
    on_disk = Core(tmp_path)
    folder = log_folders(on_disk)[0]
    assert folder.log_dir == str(tmp_path / "topics")
    assert folder.total_bytes >= folder.usable_bytes > 0
    on_disk.broker.close()


def test_sizes_are_those_of_the_logs(core: Core) -> None:
    producer = TransactionalProducer(core, "x")
    producer.init()
    producer.write(1, b"v")
    topic = nested(apis.DESCRIBE_LOG_DIRS, 4, "DescribableLogDirTopic")(topic="t", partitions=(0, 1, 7))
    told = log_folders(core, (topic,))[0].topics[0].partitions
    log = core.broker.partitions.get("t", 1)
    assert log is not None
    assert [(each.partition_index, each.partition_size) for each in told] == [(0, 0), (1, log.log.size)]
    assert log.log.size > 0


def test_no_leader_is_to_be_elected(core: Core) -> None:
    topic = nested(apis.ELECT_LEADERS, 2, "TopicPartitions")(topic="t", partitions=(0, 9))
    message = request_type(apis.ELECT_LEADERS, 2)(election_type=0, topic_partitions=(topic,))
    told = core.ask(apis.ELECT_LEADERS, 2, message).replica_election_results[0].partition_result
    assert [each.error_code for each in told] == [
        ErrorCode.election_not_needed,
        ErrorCode.unknown_topic_or_partition,
    ]
    everything = request_type(apis.ELECT_LEADERS, 2)(election_type=0, topic_partitions=None)
    assert core.ask(apis.ELECT_LEADERS, 2, everything).replica_election_results == ()


def test_partitions_stay_where_they_are(core: Core) -> None:
    partition = nested(apis.ALTER_PARTITION_REASSIGNMENTS, 1, "ReassignablePartition")
    partitions = (
        partition(partition_index=0, replicas=(0,)),
        partition(partition_index=1, replicas=(1, 2)),
        partition(partition_index=2, replicas=None),
        partition(partition_index=3, replicas=(0,)),
    )
    topic = nested(apis.ALTER_PARTITION_REASSIGNMENTS, 1, "ReassignableTopic")(name="t", partitions=partitions)
    message = request_type(apis.ALTER_PARTITION_REASSIGNMENTS, 1)(topics=(topic,))
    told = core.ask(apis.ALTER_PARTITION_REASSIGNMENTS, 1, message).responses[0].partitions
    assert [each.error_code for each in told] == [
        ErrorCode.none,
        ErrorCode.invalid_replica_assignment,
        ErrorCode.no_reassignment_in_progress,
        ErrorCode.unknown_topic_or_partition,
    ]


def test_producers_and_their_open_transactions(core: Core) -> None:
    producer = TransactionalProducer(core, "x")
    producer.init()
    producer.write(1, b"a")
    producer.end(commit=True)
    producer.write(1, b"b")
    topic = nested(apis.DESCRIBE_PRODUCERS, 0, "TopicRequest")(name="t", partition_indexes=(0, 1, 9))
    message = request_type(apis.DESCRIBE_PRODUCERS, 0)(topics=(topic,))
    none, one, unknown = core.ask(apis.DESCRIBE_PRODUCERS, 0, message).topics[0].partitions
    assert none.active_producers == ()
    assert unknown.error_code is ErrorCode.unknown_topic_or_partition
    told = one.active_producers[0]
    assert (told.producer_id, told.producer_epoch, told.last_sequence) == (producer.producer_id, producer.epoch, 1)
    assert told.current_txn_start_offset == 2


def listed(core: Core, **filters: Any) -> list[str]:
    schema = request_type(apis.LIST_TRANSACTIONS, 2)
    fields = {"state_filters": (), "producer_id_filters": (), **filters}
    answer = core.ask(apis.LIST_TRANSACTIONS, 2, schema(**fields))
    return sorted(each.transactional_id for each in answer.transaction_states)


def test_transactions_are_listed_by_what_is_asked(core: Core) -> None:
    for name in ("a-1", "a-2", "b-1"):
        TransactionalProducer(core, name).init()
    runs = TransactionalProducer(core, "a-2")
    runs.init()
    runs.write(0, b"v")
    assert listed(core) == ["a-1", "a-2", "b-1"]
    assert listed(core, state_filters=("Ongoing",)) == ["a-2"]
    assert listed(core, producer_id_filters=(runs.producer_id,)) == ["a-2"]
    assert listed(core, transactional_id_pattern="a-.*") == ["a-1", "a-2"]
    assert "a-2" not in listed(core, duration_filter=10)
    core.advance(11)
    assert listed(core, duration_filter=10) == ["a-1", "a-2", "b-1"], "those that run, and those that never did"
    schema = request_type(apis.LIST_TRANSACTIONS, 2)
    strange = schema(state_filters=("Asleep",), producer_id_filters=())
    assert core.ask(apis.LIST_TRANSACTIONS, 2, strange).unknown_state_filters == ("Asleep",)
    broken = schema(state_filters=(), producer_id_filters=(), transactional_id_pattern="(")
    assert core.ask(apis.LIST_TRANSACTIONS, 2, broken).error_code is ErrorCode.invalid_regular_expression


def test_a_transaction_is_described(core: Core) -> None:
    producer = TransactionalProducer(core, "x", timeout_ms=5_000)
    producer.init()
    producer.write(1, b"v")
    message = request_type(apis.DESCRIBE_TRANSACTIONS, 0)(transactional_ids=("x", "none"))
    known, unknown = core.ask(apis.DESCRIBE_TRANSACTIONS, 0, message).transaction_states
    assert unknown.error_code is ErrorCode.transactional_id_not_found
    assert (known.transaction_state, known.transaction_timeout) == ("Ongoing", timedelta(seconds=5))
    assert known.transaction_start_time.timestamp() == 1000
    assert [(each.topic, each.partitions) for each in known.topics] == [("t", (1,))]


@pytest.mark.parametrize("version", [3, 4])
def test_features_that_clients_may_rely_on(core: Core, version: int) -> None:
    schema = request_type(apis.API_VERSIONS, version)
    answer = core.ask(apis.API_VERSIONS, version, schema(client_software_name="c", client_software_version="1"))
    finalized = {each.name: each.max_version_level for each in answer.finalized_features}
    assert finalized == {"group.version": 1, "transaction.version": 2}
    assert answer.finalized_features_epoch >= 0
    assert bool(answer.supported_features) is (version >= 4), "clients of version 3 cannot read a range from 0"


def test_without_an_authorizer_acls_are_refused_as_kafka_refuses_them(core: Core) -> None:
    schema = request_type(apis.DESCRIBE_ACLS, 3)
    asked = schema(resource_type_filter=2, resource_name_filter="t", pattern_type_filter=1, principal_filter=None,
                   host_filter=None, operation=1, permission_type=1)  # fmt: skip
    assert core.ask(apis.DESCRIBE_ACLS, 3, asked).error_code is ErrorCode.security_disabled
    creation = nested(apis.CREATE_ACLS, 3, "AclCreation")
    new = creation(resource_type=2, resource_name="t", resource_pattern_type=3, principal="User:ann", host="*",
                   operation=3, permission_type=3)  # fmt: skip
    created = core.ask(apis.CREATE_ACLS, 3, request_type(apis.CREATE_ACLS, 3)(creations=(new, new)))
    assert [each.error_code for each in created.results] == [ErrorCode.security_disabled] * 2


def test_a_replica_is_in_the_one_folder_already(core: Core) -> None:
    folder, topic = (
        nested(apis.ALTER_REPLICA_LOG_DIRS, 2, name) for name in ("AlterReplicaLogDir", "AlterReplicaLogDirTopic")
    )
    here = core.ask(apis.DESCRIBE_LOG_DIRS, 4, request_type(apis.DESCRIBE_LOG_DIRS, 4)(topics=None)).results[0].log_dir

    def moved(path: str, *partitions: int) -> list[ErrorCode]:
        asked = folder(path=path, topics=(topic(name="t", partitions=partitions),))
        answer = core.ask(apis.ALTER_REPLICA_LOG_DIRS, 2, request_type(apis.ALTER_REPLICA_LOG_DIRS, 2)(dirs=(asked,)))
        return [each.error_code for each in answer.results[0].partitions]

    assert moved(here, 0, 99) == [ErrorCode.none, ErrorCode.unknown_topic_or_partition]
    assert moved("/elsewhere", 0) == [ErrorCode.log_dir_not_found]


def test_the_broker_is_the_only_voter(core: Core) -> None:
    schema = request_type(apis.DESCRIBE_QUORUM, 2)
    answer = core.ask(apis.DESCRIBE_QUORUM, 2, schema(topics=()))
    [partition] = answer.topics[0].partitions
    assert (partition.leader_id, [each.replica_id for each in partition.current_voters]) == (0, [0])


def test_operations_are_told_to_who_asks(core: Core) -> None:
    schema = request_type(apis.DESCRIBE_CLUSTER, 1)
    told = core.ask(apis.DESCRIBE_CLUSTER, 1, schema(include_cluster_authorized_operations=True))
    assert told.cluster_authorized_operations == sum(1 << code for code in (5, 7, 8, 9, 10, 11, 12))
    silent = core.ask(apis.DESCRIBE_CLUSTER, 1, schema(include_cluster_authorized_operations=False))
    assert silent.cluster_authorized_operations == -(2**31)


@pytest.mark.parametrize("version", [8, 10])
def test_metadata_tells_what_may_be_done_to_the_cluster(core: Core, version: int) -> None:
    """Versions 8 to 10 can ask, and librdkafka does where others use DescribeCluster."""
    flags = {"include_topic_authorized_operations": False}
    schema = request_type(apis.METADATA, version)
    told = core.ask(apis.METADATA, version, schema(topics=(), include_cluster_authorized_operations=True, **flags))
    assert told.cluster_authorized_operations == sum(1 << code for code in (5, 7, 8, 9, 10, 11, 12))
    silent = core.ask(apis.METADATA, version, schema(topics=(), include_cluster_authorized_operations=False, **flags))
    assert silent.cluster_authorized_operations == -(2**31)
    assert len(told.cluster_id) == 22


def test_there_are_no_quotas(core: Core) -> None:
    component = nested(apis.DESCRIBE_CLIENT_QUOTAS, 1, "ComponentData")(entity_type="user", match_type=2, match=None)
    asked = request_type(apis.DESCRIBE_CLIENT_QUOTAS, 1)(components=(component,), strict=False)
    quotas = core.ask(apis.DESCRIBE_CLIENT_QUOTAS, 1, asked)
    assert (quotas.error_code, quotas.entries) == (ErrorCode.none, ())
