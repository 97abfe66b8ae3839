"""Producers and transactions as administrators see them: DescribeProducers, DescribeTransactions, ListTransactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from kio.schema.describe_producers.v0.request import DescribeProducersRequest
from kio.schema.describe_transactions.v0.request import DescribeTransactionsRequest
from kio.schema.errors import ErrorCode
from kio.schema.list_transactions.v2.request import ListTransactionsRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.patterns import InvalidPatternError, compiled
from millstream.broker.protocol.answers.admin import (
    ActiveProducer,
    DescribedProducers,
    DescribedTransaction,
    DescribedTransactions,
    ListedTransaction,
    ListedTransactions,
    PartitionProducers,
    TopicProducers,
    TransactionTopic,
)
from millstream.broker.transactions.transaction import State, Transaction

_NO_TIME = datetime.fromtimestamp(-0.001, UTC)
"""What Kafka writes as -1."""


def describe_producers(broker: Broker, call: Call, message: DescribeProducersRequest, reply: Reply) -> None:
    """The producers that a partition remembers, and where their open transactions begin."""
    topics = []
    for topic in message.topics:
        partitions = tuple(_producers(broker, topic.name, index) for index in topic.partition_indexes)
        topics.append(TopicProducers(topic.name, partitions))
    reply(DescribedProducers(tuple(topics)))


def _producers(broker: Broker, topic: str, index: int) -> PartitionProducers:
    partition = broker.partitions.get(topic, index)
    if partition is None:
        return PartitionProducers(index, ErrorCode.unknown_topic_or_partition, "The partition does not exist.")
    log = partition.log
    active = tuple(
        ActiveProducer(
            producer_id,
            known.epoch,
            known.batches[-1].last_sequence if known.batches else -1,
            known.last_written_ms,
            log.transactions.first_offset(producer_id),
        )
        for producer_id, known in log.producers.items()
    )
    return PartitionProducers(index, active_producers=active)


def describe_transactions(broker: Broker, call: Call, message: DescribeTransactionsRequest, reply: Reply) -> None:
    described = tuple(_described(each, broker.transactions.get(each)) for each in message.transactional_ids)
    reply(DescribedTransactions(described))


def _described(transactional_id: str, known: Transaction | None) -> DescribedTransaction:
    if known is None:
        return DescribedTransaction(transactional_id, ErrorCode.transactional_id_not_found)
    topics: dict[str, list[int]] = {}
    for partition in known.partitions:
        topics.setdefault(partition.topic, []).append(partition.partition)
    return DescribedTransaction(
        transactional_id,
        ErrorCode.none,
        known.state.value,
        timedelta(milliseconds=known.timeout_ms),
        datetime.fromtimestamp(known.began_ms / 1000, UTC) if known.began_ms >= 0 else _NO_TIME,
        known.producer_id,
        known.epoch,
        tuple(TransactionTopic(name, tuple(indexes)) for name, indexes in topics.items()),
    )


def list_transactions(broker: Broker, call: Call, message: ListTransactionsRequest, reply: Reply) -> None:
    """Filters by state, producer id, age and pattern all apply; states that do not exist are told."""
    names = {state.value for state in State}
    unknown = tuple(name for name in message.state_filters if name not in names)
    try:
        pattern = compiled(message.transactional_id_pattern or "")
    except InvalidPatternError:
        reply(ListedTransactions((), unknown, ErrorCode.invalid_regular_expression))
        return
    found = tuple(
        ListedTransaction(transactional_id, known.producer_id, known.state.value)
        for transactional_id, known in broker.transactions.items()
        if (not message.state_filters or known.state.value in message.state_filters)
        and (not message.producer_id_filters or known.producer_id in message.producer_id_filters)
        and (message.duration_filter < 0 or call.wall_ms - known.began_ms > message.duration_filter)
        and (not message.transactional_id_pattern or pattern.fullmatch(transactional_id))
    )
    reply(ListedTransactions(found, unknown))
