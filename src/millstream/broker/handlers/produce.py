"""Produce: batches into the log, answered when they are written."""

from __future__ import annotations

import logging

from kio.schema.errors import ErrorCode
from kio.schema.produce.v12.request import ProduceRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.handlers.topic_ids import named_topic
from millstream.broker.log.batch import InvalidBatchError
from millstream.broker.log.partition import RefusedError
from millstream.broker.log.records import UnreadableRecordsError
from millstream.broker.protocol import apis
from millstream.broker.protocol.answers.data import Produced, ProducedPartition, ProducedTopic
from millstream.broker.transactions.joining import joins
from millstream.model import TopicPartition

_ABORTABLE_FROM = 11

_log = logging.getLogger(__name__)


def produce(broker: Broker, call: Call, message: ProduceRequest, reply: Reply) -> None:
    """The acknowledgement goes out before waiting consumers are woken."""
    written: list[tuple[TopicPartition, int]] = []
    topics = []
    for topic in message.topic_data:
        named = named_topic(broker, call, apis.PRODUCE, topic)
        results = []
        for data in topic.partition_data:
            if message.acks not in {-1, 0, 1}:
                results.append(ProducedPartition(data.index, ErrorCode.invalid_required_acks))
                continue
            if named.name is None:
                results.append(ProducedPartition(data.index, ErrorCode.unknown_topic_id))
                continue
            name, records = TopicPartition(named.name, data.index), data.records or b""
            results.append(_append(broker, call, name, records))
            written.append((name, len(records)))
        topics.append(ProducedTopic(named.name, tuple(results), named.topic_id))
    reply(None if message.acks == 0 else Produced(tuple(topics)))
    for name, size in written:
        partition = broker.partitions.get(*name)
        if partition is not None and partition.watchers:
            partition.notify(size)


def _append(broker: Broker, call: Call, name: TopicPartition, records: bytes) -> ProducedPartition:
    index = name.partition
    partition = broker.partitions.get(*name)
    if partition is None:
        return ProducedPartition(index, ErrorCode.unknown_topic_or_partition)
    log = partition.log
    joining = joins(call.version, _ABORTABLE_FROM)
    try:
        appended = log.append(records, call.wall_ms, broker.transactions.admission(name, joining, call.now_ms))
    except RefusedError as refused:
        start, text = log.start_offset, str(refused)
        return ProducedPartition(index, refused.code, -1, -1, start, text, record_errors=refused.records)
    except InvalidBatchError as error:
        code = ErrorCode.corrupt_message if error.corrupt else ErrorCode.invalid_record
        return ProducedPartition(index, code, log_start_offset=log.start_offset, error_message=str(error))
    except UnreadableRecordsError as error:
        return ProducedPartition(index, ErrorCode.corrupt_message, error_message=str(error))
    except OSError as error:
        _log.error("%s: a batch cannot be written: %s", log.name, error)
        return ProducedPartition(index, ErrorCode.kafka_storage_error, error_message=str(error))
    return ProducedPartition(index, ErrorCode.none, appended.base_offset, appended.append_time_ms, log.start_offset)
