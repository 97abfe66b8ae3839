"""Transactions: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn.

What the disk does not take is answered with an error on which producers try again: none of it has happened.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from kio.schema.add_offsets_to_txn.v4.request import AddOffsetsToTxnRequest
from kio.schema.add_partitions_to_txn.v5.request import AddPartitionsToTxnRequest, AddPartitionsToTxnTransaction
from kio.schema.end_txn.v5.request import EndTxnRequest
from kio.schema.errors import ErrorCode
from kio.schema.init_producer_id.v5.request import InitProducerIdRequest
from kio.schema.txn_offset_commit.v5.request import TxnOffsetCommitRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.groups.groups import Committer
from millstream.broker.handlers.commits import asked_partitions, checked_offsets, with_error
from millstream.broker.handlers.durations import milliseconds
from millstream.broker.handlers.topic_ids import Named
from millstream.broker.protocol.answers.cluster import ProducerIdentity
from millstream.broker.protocol.answers.groups import (
    ErrorOnly,
    TxnEnded,
    TxnPartitionResult,
    TxnPartitionsAdded,
    TxnResult,
    TxnTopicResult,
)
from millstream.broker.transactions.joining import joins
from millstream.broker.transactions.transaction import NO_PRODUCER_ID, Owner, PendingOffset
from millstream.model import TopicPartition

_FENCED_FROM_INIT = 4
_FENCED_FROM = 2
"""Versions from which a fenced producer is told so; before, that its epoch is invalid (KIP-588)."""

_ABORTABLE_FROM = 4
_RAISES_FROM = 5
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def init_producer_id(broker: Broker, call: Call, message: InitProducerIdRequest, reply: Reply) -> None:
    """Idempotent producers get a new id; a transactional one the next epoch of its own."""
    transactional_id = message.transactional_id
    if transactional_id is None:
        identity: Owner | ErrorCode = _durable(lambda: Owner(broker.producer_ids.next(), 0))
    else:
        expected = None
        if message.producer_id != NO_PRODUCER_ID:
            expected = Owner(message.producer_id, message.producer_epoch)
        timeout_ms = milliseconds(message.transaction_timeout)
        identity = _durable(lambda: broker.transactions.initialize(transactional_id, expected, timeout_ms, call.now_ms))
    if isinstance(identity, ErrorCode):
        reply(ProducerIdentity(_told(identity, call.version, _FENCED_FROM_INIT)))
    else:
        reply(ProducerIdentity(ErrorCode.none, identity.producer_id, identity.epoch))


def add_partitions_to_txn(broker: Broker, call: Call, message: AddPartitionsToTxnRequest, reply: Reply) -> None:
    """Clients send one transaction, up to version 3; brokers, later, several, and may only ask whether all are in."""
    reply(TxnPartitionsAdded(tuple(_added(broker, call, each) for each in message.transactions)))


def _added(broker: Broker, call: Call, asked: AddPartitionsToTxnTransaction) -> TxnResult:
    """All partitions join, or none: if one does not exist, the others are told that they were not tried."""
    partitions = [TopicPartition(topic.name, index) for topic in asked.topics for index in topic.partitions]
    asking = Owner(asked.producer_id, asked.producer_epoch)
    unknown = {partition for partition in partitions if broker.partitions.get(*partition) is None}
    error = ErrorCode.operation_not_attempted
    if not unknown and not asked.verify_only:
        error = _durable(
            lambda: broker.transactions.add_partitions(asked.transactional_id, asking, partitions, call.now_ms)
        )
        error = _told(error, call.version, _FENCED_FROM)
    results: dict[str, list[TxnPartitionResult]] = {}
    for partition in partitions:
        each = ErrorCode.unknown_topic_or_partition if partition in unknown else error
        if asked.verify_only and partition not in unknown:
            each = broker.transactions.verify(asked.transactional_id, asking, partition)
        results.setdefault(partition.topic, []).append(TxnPartitionResult(partition.partition, each))
    topics = tuple(TxnTopicResult(name, tuple(each)) for name, each in results.items())
    return TxnResult(asked.transactional_id, topics)


def add_offsets_to_txn(broker: Broker, call: Call, message: AddOffsetsToTxnRequest, reply: Reply) -> None:
    asking = Owner(message.producer_id, message.producer_epoch)
    error = _durable(
        lambda: broker.transactions.add_group(message.transactional_id, asking, message.group_id, call.now_ms)
    )
    reply(ErrorOnly(_told(error, call.version, _FENCED_FROM)))


def txn_offset_commit(broker: Broker, call: Call, message: TxnOffsetCommitRequest, reply: Reply) -> None:
    """The group's coordinator checks the member, the transaction's the producer; the offsets wait for its end."""
    problem = ErrorCode.invalid_group_id if not message.group_id else None
    who = Committer(message.group_id, message.member_id, message.group_instance_id, message.generation_id)
    topics = [(Named(topic.name, None), topic) for topic in message.topics]
    problem = problem or broker.groups.transactional_commit_problem(who, call.now_ms, asked_partitions(topics))
    offsets, results = checked_offsets(broker, topics, problem, call.wall_ms)
    if offsets:
        asking = Owner(message.producer_id, message.producer_epoch)
        pending = [
            PendingOffset(message.group_id, partition, each.offset, each.leader_epoch, each.metadata)
            for partition, each in offsets.items()
        ]
        error = _durable(
            lambda: broker.transactions.add_offsets(
                message.transactional_id,
                asking,
                message.group_id,
                pending,
                call.now_ms,
                joins(call.version, _ABORTABLE_FROM),
            )
        )
        if error is not ErrorCode.none:
            results = with_error(results, error)
    reply(results)


def end_txn(broker: Broker, call: Call, message: EndTxnRequest, reply: Reply) -> None:
    """From version 5 on the producer is told the epoch, and sometimes the id, with which it goes on."""
    step = broker.transactions.end_raising if call.version >= _RAISES_FROM else broker.transactions.end
    asking = Owner(message.producer_id, message.producer_epoch)
    result: Owner | ErrorCode = _durable(
        lambda: step(message.transactional_id, asking, call.now_ms, commit=message.committed)
    )
    if isinstance(result, ErrorCode):
        reply(TxnEnded(_told(result, call.version, _FENCED_FROM)))
    else:
        reply(TxnEnded(ErrorCode.none, result.producer_id, result.epoch))


def _durable(step: Callable[[], _Result]) -> _Result | ErrorCode:
    try:
        return step()
    except OSError as error:
        _log.error("the state of a producer or transaction cannot be written: %s", error)
        return ErrorCode.coordinator_not_available


def _told(error: ErrorCode, version: int, fenced_from: int) -> ErrorCode:
    old = error is ErrorCode.producer_fenced and version < fenced_from
    return ErrorCode.invalid_producer_epoch if old else error
