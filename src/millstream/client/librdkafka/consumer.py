"""The data consumer: partitions assigned by hand, records handed over as columns."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import TopicPartition as RdTopicPartition

from millstream.client.contract import OUT_OF_RANGE, Fetched, PartitionEnd, PartitionFailure
from millstream.client.librdkafka.columns import ColumnReader, build_with_columns
from millstream.client.librdkafka.config import Connection, build
from millstream.client.librdkafka.failures import kafka_error, raised
from millstream.client.librdkafka.messages import Event, MessageReader, Reader
from millstream.errors import KafkaError
from millstream.model import TopicPartition

RETRY_S = 0.02
LOOK_UP_S = 1.0
UNKNOWN = (RdKafkaError._UNKNOWN_PARTITION, RdKafkaError._UNKNOWN_TOPIC, RdKafkaError.UNKNOWN_TOPIC_OR_PART)
GONE = (RdKafkaError._AUTO_OFFSET_RESET, RdKafkaError._LOG_TRUNCATION)  # of a strict one alone: others go on


class LibrdkafkaDataConsumer:
    """Reads partitions that are assigned by hand."""

    def __init__(
        self, connection: Connection, name: str, *, read_committed: bool = False, strict: bool = False
    ) -> None:
        self._failures: list[PartitionFailure] = []
        self._assigned: dict[TopicPartition, RdTopicPartition] = {}
        self._met: set[str] = set()
        config = connection.for_data() | {
            # librdkafka wants a group also where none is used; this one is never joined nor committed to.
            "group.id": f"millstream-reader-{name}",
            "client.id": name,
            "error_cb": self._on_error,
        }
        reading = config | ({"isolation.level": "read_committed"} if read_committed else {})
        strictly = {"auto.offset.reset": "error"} if strict else {}
        self._consumer, columns = build_with_columns(Consumer, reading | strictly)
        self._reader: Reader = MessageReader(self._consumer)
        if columns is not None:
            self._reader = ColumnReader(columns, self._on_error)
        # On the reading one's connection a question waits, in order, for the fetch before it: up to 500 ms each.
        self._asking = build(Consumer, config | {"isolation.level": "read_uncommitted"})

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        new = {source: offset for source, offset in positions.items() if source not in self._assigned}
        self._meet({source.topic for source in new})
        try:
            self._consumer.incremental_assign([RdTopicPartition(*source, offset) for source, offset in new.items()])
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, f"assigning {_listed(new)}") from failed
        self._assigned |= {source: RdTopicPartition(*source) for source in new}

    def _meet(self, topics: set[str]) -> None:
        """Have librdkafka look up topics that are new to it now: by itself it does so once a second."""
        for topic in topics - self._met:
            with suppress(KafkaException):  # then it is up to librdkafka, which goes on trying
                self._consumer.list_topics(topic, timeout=LOOK_UP_S)
        self._met |= topics

    def unassign(self, partitions: Iterable[TopicPartition]) -> None:
        old = [source for source in partitions if source in self._assigned]
        try:
            self._consumer.incremental_unassign(self._theirs(old))
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, f"unassigning {_listed(old)}") from failed
        for source in old:
            del self._assigned[source]

    def seek(self, source: TopicPartition, offset: int) -> None:
        # librdkafka's seek fails while the partition's fetcher is still starting; assigning anew never does.
        self.unassign([source])
        self.assign({source: offset})

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._consumer.pause(self._theirs(partitions))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._consumer.resume(self._theirs(partitions))

    def poll(self, *, max_records: int, timeout_ms: int) -> Fetched:
        try:
            batches, events = self._reader.read(max_records, 0 if self._failures else timeout_ms)
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, "reading") from failed
        failures, self._failures = self._failures, []
        ends: dict[TopicPartition, int] = {}
        for event in events:
            self._sort_out(event, ends, failures)
        batches = [batch for batch in batches if batch.source in self._assigned]
        for batch in batches:
            # librdkafka's own end-of-partition event needs one more fetch, which waits up to 500 ms at the end.
            if (self.known_end(batch.source) or batch.next_offset + 1) <= batch.next_offset:
                ends[batch.source] = batch.next_offset
        return Fetched(batches, [PartitionEnd(*end) for end in ends.items()], failures)

    def _sort_out(self, event: Event, ends: dict[TopicPartition, int], failures: list[PartitionFailure]) -> None:
        source, error = event.source, event.error
        if source is None:
            failures.append(PartitionFailure(None, kafka_error(error, "reading")))
        elif error.code() == RdKafkaError._PARTITION_EOF:
            if source in self._assigned:
                ends[source] = event.offset
        elif error.code() in GONE:
            problem = KafkaError(f"reading {source}: {error.str()}", code=OUT_OF_RANGE)
            failures.append(PartitionFailure(source, problem))
        else:
            failures.append(PartitionFailure(source, kafka_error(error, f"reading {source}")))

    def watermarks(self, source: TopicPartition, *, timeout_ms: int) -> tuple[int, int]:
        doing = f"asking for the offsets of {source}"
        until = time.monotonic() + timeout_ms / 1000
        while True:
            left_s = max(0.001, until - time.monotonic())
            try:
                found = self._asking.get_watermark_offsets(RdTopicPartition(*source), timeout=left_s)
            except (KafkaException, RuntimeError) as failed:
                problem = raised(failed, doing)
                # A topic that was just created has no leader that everyone knows of yet, and while a broker comes back
                # it may know of none of its partitions.
                problem.retriable |= problem.code in UNKNOWN
                if not problem.retriable or time.monotonic() + RETRY_S > until:
                    raise problem from failed
                time.sleep(RETRY_S)
                continue
            if found is None:
                raise KafkaError(
                    f"{doing}: no answer within {timeout_ms} ms", code=RdKafkaError._TIMED_OUT, retriable=True
                )
            return found

    def known_end(self, source: TopicPartition) -> int | None:
        _, end = self._consumer.get_watermark_offsets(self._assigned[source], cached=True)
        return end if end >= 0 else None

    def close(self) -> None:
        self._asking.close()
        self._reader.close()
        self._consumer.close()

    def _on_error(self, error: RdKafkaError) -> None:
        self._failures.append(PartitionFailure(None, kafka_error(error, "reading")))

    def _theirs(self, partitions: Iterable[TopicPartition]) -> list[RdTopicPartition]:
        return [self._assigned[source] for source in partitions if source in self._assigned]


def _listed(partitions: Iterable[TopicPartition]) -> str:
    return ", ".join(map(str, partitions))
