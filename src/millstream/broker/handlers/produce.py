"""Produce: batches into the log, answered when they are written."""

from __future__ import annotations

import logging

from kio.schema.errors import ErrorCode
from kio.schema.produce.v11.request import ProduceRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.log.batch import InvalidBatchError
from millstream.broker.log.partition import RefusedError
from millstream.broker.log.records import UnreadableRecordsError
from millstream.broker.partitions import Partition
from millstream.broker.protocol.answers.data import Produced, ProducedPartition, ProducedTopic

_log = logging.getLogger(__name__)


def produce(broker: Broker, call: Call, message: ProduceRequest, reply: Reply) -> None:
    """The acknowledgement goes out before waiting consumers are woken."""
    written: list[tuple[Partition, int]] = []
    topics = []
    for topic in message.topic_data:
        results = []
        for data in topic.partition_data:
            partition = broker.partitions.get(topic.name, data.index)
            if message.acks not in {-1, 0, 1}:
                results.append(ProducedPartition(data.index, ErrorCode.invalid_required_acks))
            elif partition is None:
                results.append(ProducedPartition(data.index, ErrorCode.unknown_topic_or_partition))
            else:
                records = data.records or b""
                results.append(_append(partition, data.index, records, call.wall_ms))
                written.append((partition, len(records)))
        topics.append(ProducedTopic(topic.name, tuple(results)))
    reply(None if message.acks == 0 else Produced(tuple(topics)))
    for partition, size in written:
        if partition.watchers:
            partition.notify(size)


def _append(partition: Partition, index: int, records: bytes, now_ms: int) -> ProducedPartition:
    log = partition.log
    try:
        appended = log.append(records, now_ms)
    except RefusedError as refused:
        return ProducedPartition(index, refused.code, log_start_offset=log.start_offset, error_message=str(refused))
    except InvalidBatchError as error:
        code = ErrorCode.corrupt_message if error.corrupt else ErrorCode.invalid_record
        return ProducedPartition(index, code, log_start_offset=log.start_offset, error_message=str(error))
    except UnreadableRecordsError as error:
        return ProducedPartition(index, ErrorCode.corrupt_message, error_message=str(error))
    except OSError as error:
        _log.error("%s: a batch cannot be written: %s", log.name, error)
        return ProducedPartition(index, ErrorCode.kafka_storage_error, error_message=str(error))
    return ProducedPartition(index, ErrorCode.none, appended.base_offset, appended.append_time_ms, log.start_offset)
