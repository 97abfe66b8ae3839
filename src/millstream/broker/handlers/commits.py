"""Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from kio.schema.errors import ErrorCode
from kio.schema.offset_commit.v9.request import OffsetCommitRequest
from kio.schema.offset_delete.v0.request import OffsetDeleteRequest
from kio.schema.offset_fetch.v9.request import OffsetFetchRequest, OffsetFetchRequestGroup

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.groups.groups import Committer
from millstream.broker.groups.offsets import CommittedOffset
from millstream.broker.groups.subscription import CONSUMER
from millstream.broker.handlers.topic_ids import Named, named_topic
from millstream.broker.protocol.answers.groups import (
    FetchedOffset,
    FetchedOffsets,
    FetchedOffsetsGroup,
    FetchedOffsetsTopic,
    OffsetResults,
    PartitionResult,
    TopicPartitionResults,
)
from millstream.broker.protocol.apis import OFFSET_COMMIT, OFFSET_FETCH
from millstream.model import TopicPartition

_EPOCHS_FROM = 9
"""Version from which a client knows that its member epoch can be stale (KIP-848)."""
_log = logging.getLogger(__name__)


def offset_commit(broker: Broker, call: Call, message: OffsetCommitRequest, reply: Reply) -> None:
    """All that can be stored are stored together; the answer comes when they are."""
    who = Committer(
        message.group_id, message.member_id, message.group_instance_id, message.generation_id_or_member_epoch
    )
    topics = [(named_topic(broker, call, OFFSET_COMMIT, topic), topic) for topic in message.topics]
    problem = broker.groups.commit_problem(who, call.now_ms, asked_partitions(topics))
    if problem is ErrorCode.stale_member_epoch and call.version < _EPOCHS_FROM:
        problem = ErrorCode.unsupported_version
    if not message.group_id:
        problem = ErrorCode.invalid_group_id
    elif not broker.has_room_for_group(message.group_id):
        problem = ErrorCode.policy_violation
    offsets, results = checked_offsets(broker, topics, problem, call.wall_ms)
    if offsets and not _stored(broker, message.group_id, offsets):
        results = with_error(results, ErrorCode.kafka_storage_error)
    reply(results)


def asked_partitions(topics: Iterable[tuple[Named, Any]]) -> list[TopicPartition]:
    """The partitions that a commit is for, of topics that are known by name."""
    return [
        TopicPartition(named.name, each.partition_index)
        for named, topic in topics
        if named.name is not None
        for each in topic.partitions
    ]


def checked_offsets(
    broker: Broker, topics: Iterable[tuple[Named, Any]], problem: ErrorCode | None, now_ms: int
) -> tuple[dict[TopicPartition, CommittedOffset], OffsetResults]:
    """The offsets of a commit that can be taken, and the answer if they are; `problem` is one of all of them."""
    offsets: dict[TopicPartition, CommittedOffset] = {}
    answers = []
    for (name, topic_id), topic in topics:
        results = []
        for each in topic.partitions:
            error = problem or ErrorCode.none
            if problem is None and name is None:
                error = ErrorCode.unknown_topic_id
            elif problem is None and broker.partitions.get(name or "", each.partition_index) is None:
                error = ErrorCode.unknown_topic_or_partition
            elif problem is None and len(each.committed_metadata or "") > broker.settings.metadata_bytes:
                error = ErrorCode.offset_metadata_too_large
            elif problem is None:
                offsets[TopicPartition(name or "", each.partition_index)] = CommittedOffset(
                    each.committed_offset, each.committed_leader_epoch, each.committed_metadata or "", now_ms
                )
            results.append(PartitionResult(each.partition_index, error))
        answers.append(TopicPartitionResults(name, tuple(results), topic_id))
    return offsets, OffsetResults(tuple(answers))


def with_error(results: OffsetResults, error: ErrorCode) -> OffsetResults:
    """The same error for everything that had none."""
    topics = []
    for topic in results.topics:
        answers = (
            replace(each, error_code=error) if each.error_code is ErrorCode.none else each for each in topic.partitions
        )
        topics.append(replace(topic, partitions=tuple(answers)))
    return OffsetResults(tuple(topics))


def _stored(broker: Broker, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> bool:
    broker.groups.know(group_id)
    try:
        broker.groups.offsets.commit(group_id, offsets)
    except OSError as error:
        _log.error("offsets of group %s cannot be written: %s", group_id, error)
        return False
    return True


def offset_fetch(broker: Broker, call: Call, message: OffsetFetchRequest, reply: Reply) -> None:
    """With `require_stable`, offsets that a transaction may still change are told to be unstable (KIP-447)."""
    reply(FetchedOffsets(tuple(_fetched(broker, call, group, message.require_stable) for group in message.groups)))


def _fetched(broker: Broker, call: Call, asked: OffsetFetchRequestGroup, require_stable: bool) -> FetchedOffsetsGroup:
    """Null topics are all that the group has committed; partitions without a commit have offset -1."""
    group_id = asked.group_id
    problem = broker.groups.fetch_problem(Committer(group_id, asked.member_id or "", None, asked.member_epoch))
    if problem is not None:
        return FetchedOffsetsGroup(group_id, (), problem)
    committed = broker.groups.offsets.of_group(group_id)
    unstable = broker.transactions.unstable(group_id) if require_stable else frozenset()
    wanted: list[tuple[Named, Iterable[int]]] = []
    if asked.topics is None:
        for name, partitions in groupby(sorted({*committed, *unstable}), lambda partition: partition.topic):
            topic = broker.catalogue.get(name)
            topic_id = None if topic is None else topic.topic_id
            wanted.append((Named(name, topic_id), [partition.partition for partition in partitions]))
    else:
        wanted += [(named_topic(broker, call, OFFSET_FETCH, each), each.partition_indexes) for each in asked.topics]
    topics = []
    for (name, topic_id), indexes in wanted:
        found = tuple(_offset(committed, unstable, name, index) for index in indexes)
        topics.append(FetchedOffsetsTopic(name, found, topic_id))
    return FetchedOffsetsGroup(group_id, tuple(topics))


def _offset(
    committed: Mapping[TopicPartition, CommittedOffset],
    unstable: frozenset[TopicPartition],
    name: str | None,
    index: int,
) -> FetchedOffset:
    if name is None:
        return FetchedOffset(index, error_code=ErrorCode.unknown_topic_id)
    partition = TopicPartition(name, index)
    if partition in unstable:
        return FetchedOffset(index, error_code=ErrorCode.unstable_offset_commit)
    known = committed.get(partition)
    if known is None:
        return FetchedOffset(index)
    return FetchedOffset(index, known.offset, known.leader_epoch, known.metadata)


def offset_delete(broker: Broker, call: Call, message: OffsetDeleteRequest, reply: Reply) -> None:
    """Offsets of topics that a member is subscribed to stay."""
    classic = broker.groups.classic.get(message.group_id)
    if classic is None and broker.groups.consumer.get(message.group_id) is None:
        reply(OffsetResults((), ErrorCode.group_id_not_found))
        return
    if classic is not None and classic.members and classic.protocol_type != CONSUMER:
        reply(OffsetResults((), ErrorCode.non_empty_group))
        return
    in_use = broker.groups.subscribed(message.group_id)
    results = []
    for topic in message.topics:
        partitions = [TopicPartition(topic.name, each.partition_index) for each in topic.partitions]
        known = [each for each in partitions if broker.partitions.get(*each) is not None]
        error = ErrorCode.group_subscribed_to_topic if topic.name in in_use else ErrorCode.none
        if error is ErrorCode.none:
            broker.groups.offsets.delete(message.group_id, known)
        answers = tuple(
            PartitionResult(each.partition, error if each in known else ErrorCode.unknown_topic_or_partition)
            for each in partitions
        )
        results.append(TopicPartitionResults(topic.name, answers))
    reply(OffsetResults(tuple(results)))
