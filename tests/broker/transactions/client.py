"""Transactional producers and committed readers that speak to the core in requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from millstream.broker.log.batch import read_header
from millstream.broker.log.markers import commits
from millstream.broker.protocol import apis
from tests.broker.batches import batch
from tests.broker.core import Core, nested, request_type

SECOND = timedelta(seconds=1)


class TransactionalProducer:
    """One that keeps to the protocol; each method gives the broker's error."""

    def __init__(self, core: Core, transactional_id: str, timeout_ms: int = 60_000) -> None:
        self.core = core
        self.transactional_id = transactional_id
        self.timeout = timedelta(milliseconds=timeout_ms)
        self.producer_id = self.epoch = -1
        self.sequences: dict[int, int] = {}

    def init(self, *, expected: bool = False, version: int = 4) -> ErrorCode:
        fields: dict[str, Any] = {"transactional_id": self.transactional_id, "transaction_timeout": self.timeout}
        if expected:
            fields.update(producer_id=self.producer_id, producer_epoch=self.epoch)
        answer = self.core.ask(apis.INIT_PRODUCER_ID, version, request_type(apis.INIT_PRODUCER_ID, version)(**fields))
        if answer.error_code is ErrorCode.none:
            self.producer_id, self.epoch, self.sequences = answer.producer_id, answer.producer_epoch, {}
        code: ErrorCode = answer.error_code
        return code

    def add(self, partition: int, topic: str = "t", version: int = 3) -> ErrorCode:
        schema = request_type(apis.ADD_PARTITIONS_TO_TXN, version)
        one = nested(apis.ADD_PARTITIONS_TO_TXN, version, "AddPartitionsToTxnTopic")(
            name=topic, partitions=(partition,)
        )
        message = schema(
            v3_and_below_transactional_id=self.transactional_id,
            v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=(one,),
        )
        answer = self.core.ask(apis.ADD_PARTITIONS_TO_TXN, version, message)
        code: ErrorCode = answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
        return code

    def send(self, partition: int, value: bytes, version: int = 9) -> ErrorCode:
        sequence = self.sequences.get(partition, 0)
        records = batch(
            [(1000, b"k", value)],
            attributes=0x10,
            producer_id=self.producer_id,
            epoch=self.epoch,
            sequence=sequence,
        )
        code = produce(self.core, partition, records, version)
        if code is ErrorCode.none:
            self.sequences[partition] = sequence + 1
        return code

    def write(self, partition: int, value: bytes) -> ErrorCode:
        added = self.add(partition)
        return self.send(partition, value) if added is ErrorCode.none else added

    def add_group(self, group: str) -> ErrorCode:
        message = request_type(apis.ADD_OFFSETS_TO_TXN, 3)(**self._identity(), group_id=group)
        code: ErrorCode = self.core.ask(apis.ADD_OFFSETS_TO_TXN, 3, message).error_code
        return code

    def commit_offset(
        self, group: str, partition: int, offset: int, generation: int = -1, version: int = 3
    ) -> ErrorCode:
        each = nested(apis.TXN_OFFSET_COMMIT, version, "TxnOffsetCommitRequestPartition")(
            partition_index=partition, committed_offset=offset, committed_metadata="m"
        )
        topic = nested(apis.TXN_OFFSET_COMMIT, version, "TxnOffsetCommitRequestTopic")(name="t", partitions=(each,))
        message = request_type(apis.TXN_OFFSET_COMMIT, version)(
            **self._identity(), group_id=group, generation_id=generation, topics=(topic,)
        )
        answer = self.core.ask(apis.TXN_OFFSET_COMMIT, version, message)
        code: ErrorCode = answer.topics[0].partitions[0].error_code
        return code

    def end(self, *, commit: bool, version: int = 3) -> ErrorCode:
        message = request_type(apis.END_TXN, version)(**self._identity(), committed=commit)
        code: ErrorCode = self.core.ask(apis.END_TXN, version, message).error_code
        return code

    def _identity(self) -> dict[str, Any]:
        return {
            "transactional_id": self.transactional_id,
            "producer_id": self.producer_id,
            "producer_epoch": self.epoch,
        }


class SecondVersionProducer(TransactionalProducer):
    """One of transactions of version 2: partitions and groups join by being written, each end raises the epoch."""

    def write(self, partition: int, value: bytes) -> ErrorCode:
        return self.send(partition, value, version=12)

    def commit_offset(
        self, group: str, partition: int, offset: int, generation: int = -1, version: int = 5
    ) -> ErrorCode:
        return super().commit_offset(group, partition, offset, generation, version)

    def end(self, *, commit: bool, version: int = 5) -> ErrorCode:
        message = request_type(apis.END_TXN, version)(**self._identity(), committed=commit)
        answer = self.core.ask(apis.END_TXN, version, message)
        if answer.error_code is ErrorCode.none:
            self.producer_id, self.epoch, self.sequences = answer.producer_id, answer.producer_epoch, {}
        code: ErrorCode = answer.error_code
        return code


def produce(core: Core, partition: int, records: bytes, version: int = 9) -> ErrorCode:
    data = nested(apis.PRODUCE, version, "PartitionProduceData")(index=partition, records=records)
    topic = nested(apis.PRODUCE, version, "TopicProduceData")(name="t", partition_data=(data,))
    message = request_type(apis.PRODUCE, version)(acks=-1, timeout=SECOND, topic_data=(topic,))
    code: ErrorCode = core.ask(apis.PRODUCE, version, message).responses[0].partition_responses[0].error_code
    return code


def committed_values(core: Core, partition: int, version: int = 12) -> list[bytes]:
    """What a `read_committed` consumer finds in batches of one record, in order."""
    found: list[bytes] = []
    offset = 0
    while True:
        answer = fetch(core, partition, offset, version)
        assert answer.error_code is ErrorCode.none
        raw = memoryview(answer.records or b"")
        if not raw:
            assert offset == answer.last_stable_offset
            return found
        pending = sorted((each.first_offset, each.producer_id) for each in answer.aborted_transactions)
        void: set[int] = set()
        position = 0
        while position < len(raw):
            header = read_header(raw, position)
            one = raw[position : position + header.size]
            while pending and pending[0][0] <= header.base_offset:
                void.add(pending.pop(0)[1])
            if header.control:
                if not commits(one):
                    void.discard(header.producer_id)
            elif header.record_count and not (header.transactional and header.producer_id in void):
                found.append(bytes(one[-3:-1]))
            position += header.size
            offset = header.next_offset


def fetch(core: Core, partition: int, offset: int, version: int = 12) -> Any:
    asked = nested(apis.FETCH, version, "FetchPartition")(
        partition=partition, fetch_offset=offset, partition_max_bytes=250
    )
    topic = nested(apis.FETCH, version, "FetchTopic")(topic="t", partitions=(asked,))
    fields: dict[str, Any] = {"forgotten_topics_data": ()} if version >= 7 else {}
    if version < 12:
        fields["replica_id"] = -1
    message = request_type(apis.FETCH, version)(
        max_wait=0 * SECOND, min_bytes=1, isolation_level=1, topics=(topic,), **fields
    )
    return core.ask(apis.FETCH, version, message).responses[0].partitions[0]
