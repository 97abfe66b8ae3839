"""Transactional requests, refused: this broker has no transactions, and says so in each answer's own form."""

from __future__ import annotations

from typing import Any

from kio.schema.add_partitions_to_txn.v3.request import AddPartitionsToTxnRequest
from kio.schema.txn_offset_commit.v3.request import TxnOffsetCommitRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.handlers.cluster import NO_TRANSACTIONS
from millstream.broker.protocol.answers.groups import (
    ErrorOnly,
    OffsetResults,
    PartitionResult,
    TopicPartitionResults,
    TxnPartitionResult,
    TxnPartitionsAdded,
    TxnTopicResult,
)

_REFUSED = NO_TRANSACTIONS


def add_partitions_to_txn(broker: Broker, call: Call, message: AddPartitionsToTxnRequest, reply: Reply) -> None:
    results = tuple(
        TxnTopicResult(topic.name, tuple(TxnPartitionResult(partition, _REFUSED) for partition in topic.partitions))
        for topic in message.v3_and_below_topics
    )
    reply(TxnPartitionsAdded(results))


def refuse(broker: Broker, call: Call, message: Any, reply: Reply) -> None:
    """AddOffsetsToTxn and EndTxn."""
    reply(ErrorOnly(_REFUSED))


def txn_offset_commit(broker: Broker, call: Call, message: TxnOffsetCommitRequest, reply: Reply) -> None:
    results = tuple(
        TopicPartitionResults(
            topic.name, tuple(PartitionResult(each.partition_index, _REFUSED) for each in topic.partitions)
        )
        for topic in message.topics
    )
    reply(OffsetResults(results))
