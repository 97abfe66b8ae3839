"""The consumer in the group: is given partitions, heartbeats, commits offsets; reads nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import TopicPartition as RdTopicPartition

from millstream.client.contract import (
    CommitOutcome,
    CommittedOffset,
    GroupChange,
    GroupEvent,
    GroupMetadata,
    PartitionFailure,
)
from millstream.client.librdkafka.config import Connection, build
from millstream.client.librdkafka.failures import kafka_error, raised
from millstream.errors import KafkaError
from millstream.model import TopicPartition

HOLD = "millstream-holds-the-partitions"
MOST_EVENTS = 100
REJOINED = "-rejoined"  # no topic has that name
METADATA_MAGIC = b"CGMDv2:"


class LibrdkafkaMembership:
    """Member of a group that shares out the partitions of one topic."""

    def __init__(self, connection: Connection, group: str, topic: str, own: Mapping[str, object] | None = None) -> None:
        self._events: list[GroupEvent] = []
        self._held: set[TopicPartition] = set()
        self._released: set[TopicPartition] = set()
        self._closing = False
        config = connection.for_membership() | {
            "client.id": group,
            **(own or {}),
            "group.id": group,
            "on_commit": self._on_commit,
            "error_cb": self._on_error,
            "logger": _QuietAboutHolding(),
        }
        self._consumer = build(Consumer, config)
        self._topic = topic
        self._to_rejoin = own is not None and "group.instance.id" in own
        self._subscribe(topic)

    def _subscribe(self, *topics: str) -> None:
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def poll(self, *, timeout_ms: int) -> Sequence[GroupEvent]:
        wait_s = 0.0 if self._events else timeout_ms / 1000
        try:
            for _ in range(MOST_EVENTS):
                message = self._consumer.poll(wait_s)
                if message is None:
                    break
                wait_s = 0
                if (error := message.error()) is not None and message.topic() != self._topic + REJOINED:
                    self._on_error(error)
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, "group membership") from failed
        events, self._events = self._events, []
        return events

    def release(self, partitions: Iterable[TopicPartition]) -> None:
        self._released |= self._held.intersection(list(partitions))
        if self._held and self._released == self._held:
            # At once or not at all: after the first unassign librdkafka goes on with the rebalance.
            given_up, self._held, self._released = self._held, set(), set()
            try:
                self._consumer.incremental_unassign([RdTopicPartition(*source) for source in given_up])
            except (KafkaException, RuntimeError) as failed:
                raise raised(failed, "releasing partitions") from failed

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        wanted = [RdTopicPartition(*source, at.offset, at.metadata) for source, at in offsets.items()]
        try:
            self._consumer.commit(offsets=wanted, asynchronous=True)
        except (KafkaException, RuntimeError) as failed:
            self._events.append(CommitOutcome(offsets, raised(failed, "committing offsets")))

    def committed(
        self, partitions: Sequence[TopicPartition], *, timeout_ms: int
    ) -> Mapping[TopicPartition, CommittedOffset]:
        if not partitions:
            return {}
        asked = [RdTopicPartition(*source) for source in partitions]
        try:
            answers = self._consumer.committed(asked, timeout=timeout_ms / 1000)
        except (KafkaException, RuntimeError) as failed:
            raise raised(failed, "reading committed offsets") from failed
        for answer in answers:
            if answer.error is not None:
                raise kafka_error(answer.error, f"reading the committed offset of {answer.topic}-{answer.partition}")
        return {
            TopicPartition(answer.topic, answer.partition): CommittedOffset(answer.offset, _metadata(answer))
            for answer in answers
            if answer.offset >= 0
        }

    def group_metadata(self) -> GroupMetadata | None:
        # librdkafka rejoins after a loss only when `poll` has reported it. Until then it has no generation, and Kafka
        # would take offsets without one in a transaction, and fence nobody.
        metadata = self._consumer.consumer_group_metadata()
        return metadata if _generation(metadata) >= 0 else None

    def member_id(self) -> str | None:
        return self._consumer.memberid() or None

    def close(self) -> None:
        self._closing = True
        self.release(self._held)
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[RdTopicPartition]) -> None:
        given = _ours(partitions)
        again = self._held.intersection(given)
        # Held partitions that are given back were never unassigned; their release has become void.
        self._held -= again
        self._released -= again
        new = [RdTopicPartition(*source, 0) for source in given if source not in again]
        consumer.incremental_assign(new)
        consumer.pause(new)  # the partitions stand for work to do; their records are not read here
        if given:
            self._events.append(GroupChange("assigned", given))
        if self._to_rejoin:
            # A static member that comes back is given what it had, without a rebalance: partitions that it was giving
            # up when it died would be nobody's. Another subscription makes the group share out everything again.
            self._to_rejoin = False
            self._subscribe(self._topic, self._topic + REJOINED)

    def _on_revoke(self, consumer: Consumer, partitions: list[RdTopicPartition]) -> None:
        if self._closing:
            return
        self._held.update(_ours(partitions))
        self._events.append(GroupChange("revoked", _ours(partitions)))
        # confluent-kafka unassigns after this callback, unless unassign was called in it, even in vain; and librdkafka
        # then waits, heartbeating, for the real call. That gives the owner time to commit.
        with suppress(KafkaException):
            consumer.incremental_unassign([RdTopicPartition(HOLD, 0)])

    def _on_lost(self, consumer: Consumer, partitions: list[RdTopicPartition]) -> None:
        lost = _ours(partitions)
        self._held.difference_update(lost)
        self._released.difference_update(lost)
        self._events.append(GroupChange("lost", lost))

    def _on_commit(self, error: RdKafkaError | None, partitions: list[RdTopicPartition]) -> None:
        offsets = {TopicPartition(p.topic, p.partition): CommittedOffset(p.offset, _metadata(p)) for p in partitions}
        error = error or next((p.error for p in partitions if p.error is not None), None)
        failure = kafka_error(error, "committing offsets") if error is not None else None
        self._events.append(CommitOutcome(offsets, failure))

    def _on_error(self, error: RdKafkaError) -> None:
        self._events.append(PartitionFailure(None, kafka_error(error, "group membership")))


class _QuietAboutHolding(logging.LoggerAdapter[logging.Logger]):
    """The librdkafka log without the warning that `_on_revoke` provokes."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("millstream.librdkafka"), {})

    def log(self, level: int, msg: object, *args: object, **kwargs: object) -> None:
        if not any(HOLD in str(arg) for arg in (msg, *args)):
            self.logger.log(level, msg, *args)


def _ours(partitions: list[RdTopicPartition]) -> list[TopicPartition]:
    return [TopicPartition(p.topic, p.partition) for p in partitions]


def _generation(metadata: bytes) -> int:
    """The generation in group metadata as librdkafka writes it.

    >>> _generation(bytes.fromhex("43474d4476323a0500000061707000"))
    5
    """
    if not metadata.startswith(METADATA_MAGIC):
        raise KafkaError("this librdkafka writes group metadata in a form that is not known here")
    begin = len(METADATA_MAGIC)
    return int.from_bytes(metadata[begin : begin + 4], sys.byteorder, signed=True)


def _metadata(partition: RdTopicPartition) -> str:
    # librdkafka stores a NUL behind the metadata, and reads what others stored past its end.
    return (partition.metadata or "").partition("\0")[0]
