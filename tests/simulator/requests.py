"""The requests that the simulated clients send, as the broker's handlers take them, in the versions of librdkafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, TypeVar

from kio.schema.add_offsets_to_txn.v4 import request as add_offsets_v4
from kio.schema.add_partitions_to_txn.v5 import request as add_partitions_v5
from kio.schema.create_topics.v7 import request as create_v7
from kio.schema.describe_groups.v6 import request as describe_v6
from kio.schema.end_txn.v5 import request as end_v5
from kio.schema.fetch.v12 import request as fetch_v12
from kio.schema.heartbeat.v4 import request as heartbeat_v4
from kio.schema.init_producer_id.v5 import request as init_v5
from kio.schema.join_group.v9 import request as join_v9
from kio.schema.leave_group.v5 import request as leave_v5
from kio.schema.list_offsets.v11 import request as list_v11
from kio.schema.metadata.v9 import request as metadata_v9
from kio.schema.offset_commit.v9 import request as commit_v9
from kio.schema.offset_fetch.v9 import request as committed_v9
from kio.schema.produce.v12 import request as produce_v12
from kio.schema.sync_group.v5 import request as sync_v5
from kio.schema.txn_offset_commit.v5 import request as txn_commit_v5

from millstream.broker.protocol import apis
from millstream.client.contract import CommittedOffset, TopicSpec
from millstream.model import TopicPartition

Request = tuple[int, int, Any]
T = TypeVar("T")
"""API key, version, message."""

SECOND = timedelta(seconds=1)
FETCH_WAIT = timedelta(milliseconds=100)
BATCHES_BYTES = 1_000_000


def by_topic(partitions: Iterable[TopicPartition]) -> list[tuple[str, list[int]]]:
    ordered = sorted(partitions)
    return [(name, [each.partition for each in found]) for name, found in groupby(ordered, lambda each: each.topic)]


def _committed(
    offsets: Mapping[TopicPartition, CommittedOffset], of_topic: Callable[..., T], of_partition: Callable[..., object]
) -> tuple[T, ...]:
    """Offsets in the classes of one of the requests that commit them."""

    def partition(name: str, index: int) -> object:
        stored = offsets[TopicPartition(name, index)]
        return of_partition(partition_index=index, committed_offset=stored.offset, committed_metadata=stored.metadata)

    return tuple(
        of_topic(name=name, partitions=tuple(partition(name, index) for index in indexes))
        for name, indexes in by_topic(offsets)
    )


def metadata() -> Request:
    return (
        apis.METADATA,
        9,
        metadata_v9.MetadataRequest(
            topics=None,
            allow_auto_topic_creation=False,
            include_cluster_authorized_operations=False,
            include_topic_authorized_operations=False,
        ),
    )


def create_topics(specs: Sequence[TopicSpec]) -> Request:
    topics = tuple(
        create_v7.CreatableTopic(
            name=spec.name,
            num_partitions=spec.partitions,
            replication_factor=spec.replication,
            assignments=(),
            configs=tuple(create_v7.CreatableTopicConfig(name=n, value=v) for n, v in spec.config.items()),
        )
        for spec in specs
    )
    return apis.CREATE_TOPICS, 4, create_v7.CreateTopicsRequest(topics=topics, timeout=SECOND, validate_only=False)


def list_offset(source: TopicPartition, timestamp: int, *, committed_only: bool) -> Request:
    each = list_v11.ListOffsetsPartition(partition_index=source.partition, timestamp=timestamp)
    topic = list_v11.ListOffsetsTopic(name=source.topic, partitions=(each,))
    return (
        apis.LIST_OFFSETS,
        5,
        list_v11.ListOffsetsRequest(
            replica_id=-1, isolation_level=int(committed_only), topics=(topic,), timeout=SECOND
        ),
    )


def fetch(positions: Mapping[TopicPartition, int], partition_bytes: int, *, committed_only: bool) -> Request:
    """The order of the partitions is the caller's: the broker fills its answer in this order."""
    topics = tuple(
        fetch_v12.FetchTopic(
            topic=source.topic,
            partitions=(
                fetch_v12.FetchPartition(
                    partition=source.partition, fetch_offset=offset, partition_max_bytes=partition_bytes
                ),
            ),
        )
        for source, offset in positions.items()
    )
    return (
        apis.FETCH,
        11,
        fetch_v12.FetchRequest(
            max_wait=FETCH_WAIT,
            min_bytes=1,
            max_bytes=BATCHES_BYTES,
            isolation_level=int(committed_only),
            topics=topics,
            forgotten_topics_data=(),
        ),
    )


def produce(target: TopicPartition, records: bytes, transactional_id: str | None = None) -> Request:
    data = produce_v12.PartitionProduceData(index=target.partition, records=records)
    topic = produce_v12.TopicProduceData(name=target.topic, partition_data=(data,))
    return (
        apis.PRODUCE,
        7,
        produce_v12.ProduceRequest(transactional_id=transactional_id, acks=-1, timeout=SECOND, topic_data=(topic,)),
    )


def init_producer(transactional_id: str | None, timeout_ms: int, known: tuple[int, int] = (-1, -1)) -> Request:
    return (
        apis.INIT_PRODUCER_ID,
        4,
        init_v5.InitProducerIdRequest(
            transactional_id=transactional_id,
            transaction_timeout=timedelta(milliseconds=timeout_ms),
            producer_id=known[0],
            producer_epoch=known[1],
        ),
    )


def add_partitions(transactional_id: str, producer: tuple[int, int], partitions: Iterable[TopicPartition]) -> Request:
    topics = tuple(
        add_partitions_v5.AddPartitionsToTxnTopic(name=name, partitions=tuple(indexes))
        for name, indexes in by_topic(partitions)
    )
    one = add_partitions_v5.AddPartitionsToTxnTransaction(
        transactional_id=transactional_id, producer_id=producer[0], producer_epoch=producer[1], topics=topics
    )
    return apis.ADD_PARTITIONS_TO_TXN, 0, add_partitions_v5.AddPartitionsToTxnRequest(transactions=(one,))


def add_offsets(transactional_id: str, producer: tuple[int, int], group: str) -> Request:
    return (
        apis.ADD_OFFSETS_TO_TXN,
        0,
        add_offsets_v4.AddOffsetsToTxnRequest(
            transactional_id=transactional_id, producer_id=producer[0], producer_epoch=producer[1], group_id=group
        ),
    )


def txn_offset_commit(
    transactional_id: str,
    producer: tuple[int, int],
    member: tuple[str, str, int],
    offsets: Mapping[TopicPartition, CommittedOffset],
) -> Request:
    """`member` is group, member id and generation."""
    group, member_id, generation = member
    topics = _committed(
        offsets, txn_commit_v5.TxnOffsetCommitRequestTopic, txn_commit_v5.TxnOffsetCommitRequestPartition
    )
    return (
        apis.TXN_OFFSET_COMMIT,
        3,
        txn_commit_v5.TxnOffsetCommitRequest(
            transactional_id=transactional_id,
            group_id=group,
            producer_id=producer[0],
            producer_epoch=producer[1],
            generation_id=generation,
            member_id=member_id,
            group_instance_id=None,
            topics=topics,
        ),
    )


def end_transaction(transactional_id: str, producer: tuple[int, int], *, commit: bool) -> Request:
    return (
        apis.END_TXN,
        1,
        end_v5.EndTxnRequest(
            transactional_id=transactional_id, producer_id=producer[0], producer_epoch=producer[1], committed=commit
        ),
    )


def join_group(group: str, member_id: str, metadata: bytes, session_ms: int, rebalance_ms: int) -> Request:
    protocol = join_v9.JoinGroupRequestProtocol(name="cooperative-sticky", metadata=metadata)
    return (
        apis.JOIN_GROUP,
        5,
        join_v9.JoinGroupRequest(
            group_id=group,
            session_timeout=timedelta(milliseconds=session_ms),
            rebalance_timeout=timedelta(milliseconds=rebalance_ms),
            member_id=member_id,
            group_instance_id=None,
            protocol_type="consumer",
            protocols=(protocol,),
        ),
    )


def sync_group(group: str, member_id: str, generation: int, assignments: Mapping[str, bytes]) -> Request:
    return (
        apis.SYNC_GROUP,
        3,
        sync_v5.SyncGroupRequest(
            group_id=group,
            generation_id=generation,
            member_id=member_id,
            group_instance_id=None,
            assignments=tuple(
                sync_v5.SyncGroupRequestAssignment(member_id=each, assignment=given)
                for each, given in assignments.items()
            ),
        ),
    )


def heartbeat(group: str, member_id: str, generation: int) -> Request:
    return (
        apis.HEARTBEAT,
        3,
        heartbeat_v4.HeartbeatRequest(
            group_id=group, generation_id=generation, member_id=member_id, group_instance_id=None
        ),
    )


def leave_group(group: str, member_id: str) -> Request:
    leaving = leave_v5.MemberIdentity(member_id=member_id, group_instance_id=None)
    return apis.LEAVE_GROUP, 3, leave_v5.LeaveGroupRequest(group_id=group, members=(leaving,))


def describe_group(group: str) -> Request:
    return (
        apis.DESCRIBE_GROUPS,
        5,
        describe_v6.DescribeGroupsRequest(groups=(group,), include_authorized_operations=False),
    )


def commit(group: str, member: tuple[str, int], offsets: Mapping[TopicPartition, CommittedOffset]) -> Request:
    topics = _committed(offsets, commit_v9.OffsetCommitRequestTopic, commit_v9.OffsetCommitRequestPartition)
    return (
        apis.OFFSET_COMMIT,
        7,
        commit_v9.OffsetCommitRequest(
            group_id=group,
            generation_id_or_member_epoch=member[1],
            member_id=member[0],
            group_instance_id=None,
            topics=topics,
        ),
    )


def committed(group: str, partitions: Iterable[TopicPartition], *, stable: bool) -> Request:
    topics = tuple(
        committed_v9.OffsetFetchRequestTopics(name=name, partition_indexes=tuple(indexes))
        for name, indexes in by_topic(partitions)
    )
    one = committed_v9.OffsetFetchRequestGroup(group_id=group, topics=topics)
    return apis.OFFSET_FETCH, 7, committed_v9.OffsetFetchRequest(groups=(one,), require_stable=stable)
