"""Fetch: batches out of the log; a fetch that finds too few waits, and wakes the moment they arrive."""

from __future__ import annotations

import itertools
import logging

from kio.schema.errors import ErrorCode
from kio.schema.fetch.v12.request import FetchPartition, FetchRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.handlers.durations import milliseconds
from millstream.broker.partitions import Partition
from millstream.broker.protocol.answers.data import Fetched, FetchedPartition, FetchedTopic
from millstream.broker.timers import Timer

_log = logging.getLogger(__name__)
_keys = itertools.count()


def fetch(broker: Broker, call: Call, message: FetchRequest, reply: Reply) -> None:
    """Sessions are not offered (id 0), so each request names every partition that it wants."""
    if message.session_id:
        reply(Fetched((), ErrorCode.fetch_session_id_not_found))
        return
    found = read_partitions(broker, message)
    wait_ms = milliseconds(message.max_wait)
    if found.failed or found.size >= message.min_bytes or wait_ms <= 0 or not found.watched:
        reply(found.answer)
        return
    WaitingFetch(broker, message, reply, found).wait_until(call.now_ms + wait_ms)


class Found:
    """What one pass over the partitions of a fetch gave."""

    __slots__ = ("answer", "failed", "size", "watched")

    def __init__(self, answer: Fetched, size: int, *, failed: bool, watched: list[Partition]) -> None:
        self.answer = answer
        self.size = size
        self.failed = failed
        self.watched = watched


class WaitingFetch:
    """A fetch that waits for `min_bytes`, for an error, or for its time to be over."""

    def __init__(self, broker: Broker, message: FetchRequest, reply: Reply, found: Found) -> None:
        self._broker = broker
        self._message = message
        self._reply = reply
        self._size = found.size
        self._watched = found.watched
        self._key = next(_keys)
        self._timer: Timer | None = None

    def wait_until(self, deadline_ms: float) -> None:
        for partition in self._watched:
            partition.watchers[self._key] = self._appended
        self._timer = self._broker.timers.at(deadline_ms, lambda now_ms: self._answer())

    def _appended(self, size: int) -> None:
        self._size += size
        if self._size >= self._message.min_bytes:
            self._answer()

    def _answer(self) -> None:
        for partition in self._watched:
            partition.watchers.pop(self._key, None)
        if self._timer is not None:
            self._timer.cancel()
        self._reply(read_partitions(self._broker, self._message).answer)


def read_partitions(broker: Broker, message: FetchRequest) -> Found:
    """Read each partition in the order asked, within the request's and the partition's byte limits.

    The first batch that is found is given even if it is larger than the limits, so that a consumer always gets on.
    """
    budget: int = message.max_bytes
    size = 0
    failed = False
    watched: list[Partition] = []
    topics = []
    for topic in message.topics:
        results = []
        for each in topic.partitions:
            partition = broker.partitions.get(topic.topic, each.partition)
            if partition is None:
                result = FetchedPartition(each.partition, ErrorCode.unknown_topic_or_partition)
            else:
                watched.append(partition)
                result = _read(partition, each, budget, first=size == 0)
            failed = failed or result.error_code is not ErrorCode.none
            budget -= len(result.records)
            size += len(result.records)
            results.append(result)
        topics.append(FetchedTopic(topic.topic, tuple(results)))
    return Found(Fetched(tuple(topics)), size, failed=failed, watched=watched)


def _read(partition: Partition, each: FetchPartition, budget: int, *, first: bool) -> FetchedPartition:
    log = partition.log
    end = log.end_offset
    if each.current_leader_epoch > 0:
        return FetchedPartition(each.partition, ErrorCode.unknown_leader_epoch)
    if not log.start_offset <= each.fetch_offset <= end:
        return FetchedPartition(each.partition, ErrorCode.offset_out_of_range, log_start_offset=log.start_offset)
    records = b""
    if each.fetch_offset < end and (first or budget > 0):
        limit = min(budget, each.partition_max_bytes)
        try:
            records = log.read(each.fetch_offset, max(limit, 0), at_least_one=first)
        except OSError as error:
            _log.error("%s: offset %d cannot be read: %s", log.name, each.fetch_offset, error)
            return FetchedPartition(each.partition, ErrorCode.kafka_storage_error)
    return FetchedPartition(each.partition, ErrorCode.none, end, end, log.start_offset, records)
