"""Questions about a log's offsets: ListOffsets, OffsetForLeaderEpoch, DeleteRecords."""

from __future__ import annotations

from kio.schema.delete_records.v2.request import DeleteRecordsRequest
from kio.schema.errors import ErrorCode
from kio.schema.list_offsets.v11.request import ListOffsetsPartition, ListOffsetsRequest
from kio.schema.offset_for_leader_epoch.v4.request import OffsetForLeaderEpochRequest, OffsetForLeaderPartition

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.handlers.fetch import READ_COMMITTED
from millstream.broker.log.batch import LEADER_EPOCH
from millstream.broker.log.partition import PartitionLog
from millstream.broker.log.records import UnreadableRecordsError
from millstream.broker.partitions import Partition
from millstream.broker.protocol.answers.data import (
    DeletedRecords,
    DeletedRecordsPartition,
    DeletedRecordsTopic,
    EpochEnd,
    EpochEnds,
    EpochEndTopic,
    ListedOffsets,
    ListedPartition,
    ListedTopic,
)
from millstream.model import TopicPartition

LATEST = -1
EARLIEST = -2
LATEST_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5
EARLIEST_PENDING_UPLOAD = -6
_ASKED_FROM = {LATEST_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}
"""Versions from which these are no plain timestamps but questions (KIP-734, KIP-405, KIP-1005, KIP-1023)."""


def list_offsets(broker: Broker, call: Call, message: ListOffsetsRequest, reply: Reply) -> None:
    committed_only = message.isolation_level == READ_COMMITTED
    reply(
        ListedOffsets(
            tuple(
                ListedTopic(
                    topic.name,
                    tuple(
                        _listed(broker.partitions.get(topic.name, each.partition_index), each, call, committed_only)
                        for each in topic.partitions
                    ),
                )
                for topic in message.topics
            )
        )
    )


def _listed(
    partition: Partition | None, each: ListOffsetsPartition, call: Call, committed_only: bool
) -> ListedPartition:
    if each.timestamp < EARLIEST and call.version < _ASKED_FROM.get(each.timestamp, call.version + 1):
        return ListedPartition(each.partition_index, ErrorCode.unsupported_version)
    if partition is None:
        return ListedPartition(each.partition_index, ErrorCode.unknown_topic_or_partition)
    if each.current_leader_epoch > 0:
        return ListedPartition(each.partition_index, ErrorCode.unknown_leader_epoch)
    try:
        found = _find(partition.log, each.timestamp, committed_only)
    except UnreadableRecordsError:
        return ListedPartition(each.partition_index, ErrorCode.corrupt_message)
    if found is None:
        return ListedPartition(each.partition_index)
    offset, timestamp = found
    return ListedPartition(each.partition_index, ErrorCode.none, timestamp, offset, LEADER_EPOCH)


def _find(log: PartitionLog, timestamp: int, committed_only: bool) -> tuple[int, int] | None:
    """Offset and timestamp (-1 where none is told); with `committed_only` nothing from an open transaction on."""
    end = log.stable_offset if committed_only else log.end_offset
    if timestamp == LATEST:
        return end, -1
    if timestamp in {EARLIEST, EARLIEST_LOCAL}:
        return log.start_offset, -1
    if timestamp in {LATEST_TIERED, EARLIEST_PENDING_UPLOAD}:
        return None
    found = log.latest_timestamp() if timestamp == LATEST_TIMESTAMP else log.find_timestamp(timestamp)
    return found if found is not None and found[0] < end else None


def offset_for_leader_epoch(broker: Broker, call: Call, message: OffsetForLeaderEpochRequest, reply: Reply) -> None:
    reply(
        EpochEnds(
            tuple(
                EpochEndTopic(
                    topic.topic,
                    tuple(
                        _epoch_end(broker.partitions.get(topic.topic, each.partition), each)
                        for each in topic.partitions
                    ),
                )
                for topic in message.topics
            )
        )
    )


def _epoch_end(partition: Partition | None, each: OffsetForLeaderPartition) -> EpochEnd:
    if partition is None:
        return EpochEnd(each.partition, ErrorCode.unknown_topic_or_partition)
    if each.current_leader_epoch > LEADER_EPOCH:
        return EpochEnd(each.partition, ErrorCode.unknown_leader_epoch)
    if each.leader_epoch != LEADER_EPOCH:
        return EpochEnd(each.partition)
    return EpochEnd(each.partition, ErrorCode.none, LEADER_EPOCH, partition.log.end_offset)


def delete_records(broker: Broker, call: Call, message: DeleteRecordsRequest, reply: Reply) -> None:
    reply(
        DeletedRecords(
            tuple(
                DeletedRecordsTopic(
                    topic.name,
                    tuple(
                        _delete_before(broker, topic.name, each.partition_index, each.offset)
                        for each in topic.partitions
                    ),
                )
                for topic in message.topics
            )
        )
    )


def _delete_before(broker: Broker, topic: str, index: int, offset: int) -> DeletedRecordsPartition:
    partition = broker.partitions.get(topic, index)
    known = broker.catalogue.get(topic)
    if partition is None or known is None:
        return DeletedRecordsPartition(index, error_code=ErrorCode.unknown_topic_or_partition)
    policy = known.configs.get("cleanup.policy", "delete")
    if "delete" not in policy:
        return DeletedRecordsPartition(index, error_code=ErrorCode.policy_violation)
    log = partition.log
    target = log.end_offset if offset == -1 else offset
    if not 0 <= target <= log.end_offset:
        return DeletedRecordsPartition(index, error_code=ErrorCode.offset_out_of_range)
    if target > log.start_offset:
        try:
            broker.catalogue.set_start_offset(TopicPartition(topic, index), target)
        except OSError:
            return DeletedRecordsPartition(index, error_code=ErrorCode.kafka_storage_error)
        log.delete_before(target)
    return DeletedRecordsPartition(index, log.start_offset)
