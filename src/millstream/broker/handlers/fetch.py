"""Fetch: batches out of the log; a fetch that finds too few waits, and wakes the moment they arrive."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Callable
from typing import NamedTuple

from kio.schema.errors import ErrorCode
from kio.schema.fetch.v15.request import FetchPartition, FetchRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.handlers.durations import milliseconds
from millstream.broker.handlers.topic_ids import named_topic
from millstream.broker.log.batch import end_of_batches
from millstream.broker.log.partition import PartitionLog
from millstream.broker.log.segment import DamagedError
from millstream.broker.partitions import DELETED, Partition
from millstream.broker.protocol.answers.data import Fetched, FetchedPartition, FetchedTopic
from millstream.broker.protocol.apis import FETCH
from millstream.broker.timers import Timer

_log = logging.getLogger(__name__)
_keys = itertools.count()
READ_COMMITTED = 1


def fetch(broker: Broker, call: Call, message: FetchRequest, reply: Reply) -> None:
    """Sessions are not offered (id 0), so each request names every partition that it wants."""
    if message.session_id:
        reply(Fetched((), ErrorCode.fetch_session_id_not_found))
        return
    read = functools.partial(read_partitions, broker, call, message)
    found = read()
    wait_ms = milliseconds(message.max_wait)
    if found.failed or found.size >= message.min_bytes or wait_ms <= 0 or not found.watched:
        reply(found.answer)
        return
    waiting = WaitingFetch(broker, message, read, reply, found)
    waiting.wait_until(call.now_ms + wait_ms)
    call.on_gone(waiting.drop)


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

    def __init__(
        self, broker: Broker, message: FetchRequest, read: Callable[[], Found], reply: Reply, found: Found
    ) -> None:
        self._timers = broker.timers
        self._min_bytes = message.min_bytes
        self._read = read
        self._reply = reply
        self._size = found.size
        self._watched = found.watched
        self._key = next(_keys)
        self._timer: Timer | None = None
        self._committed_only = message.isolation_level == READ_COMMITTED
        self._stable = self._stable_total()

    def wait_until(self, deadline_ms: float) -> None:
        for partition in self._watched:
            partition.watchers[self._key] = self._appended
        self._timer = self._timers.at(deadline_ms, lambda now_ms: self._answer())

    def _stable_total(self) -> int:
        return sum(partition.log.stable_offset for partition in self._watched) if self._committed_only else 0

    def _appended(self, size: int) -> None:
        if self._committed_only and size < DELETED:
            # Open transactions hide what is appended, and their ends show more than what is appended.
            stable = self._stable_total()
            if stable == self._stable:
                return
            self._stable = stable
            self._size = self._read().size
        else:
            self._size += size
        if self._size >= self._min_bytes:
            self._answer()

    def drop(self) -> None:
        """Nobody waits for the answer any more."""
        for partition in self._watched:
            partition.watchers.pop(self._key, None)
        if self._timer is not None:
            self._timer.cancel()

    def _answer(self) -> None:
        self.drop()
        self._reply(self._read().answer)


def read_partitions(broker: Broker, call: Call, message: FetchRequest) -> Found:
    """Read each partition in the order asked, within the byte limits of the broker, the request and the partition.

    The first batch that is found is given even if it is larger than the limits, so that a consumer always gets on.
    """
    budget: int = min(message.max_bytes, broker.settings.fetch_bytes, call.answer_room())
    committed_only = message.isolation_level == READ_COMMITTED
    size = 0
    failed = False
    watched: list[Partition] = []
    topics = []
    for topic in message.topics:
        named = named_topic(broker, call, FETCH, topic)
        results = []
        for each in topic.partitions:
            partition = None if named.name is None else broker.partitions.get(named.name, each.partition)
            if partition is None:
                unknown = ErrorCode.unknown_topic_id if named.name is None else ErrorCode.unknown_topic_or_partition
                result = FetchedPartition(each.partition, unknown)
            else:
                watched.append(partition)
                result = _read(partition, each, Terms(budget, first=size == 0, committed_only=committed_only))
            failed = failed or result.error_code is not ErrorCode.none
            budget -= len(result.records)
            size += len(result.records)
            results.append(result)
        topics.append(FetchedTopic(named.name, tuple(results), named.topic_id))
    return Found(Fetched(tuple(topics)), size, failed=failed, watched=watched)


class Terms(NamedTuple):
    """What applies to one partition of a fetch: the bytes left, and whether the first batch may exceed them."""

    budget: int
    first: bool
    committed_only: bool


def _read(partition: Partition, each: FetchPartition, terms: Terms) -> FetchedPartition:
    log = partition.log
    if each.current_leader_epoch > 0:
        return FetchedPartition(each.partition, ErrorCode.unknown_leader_epoch)
    if not log.start_offset <= each.fetch_offset <= log.end_offset:
        return FetchedPartition(each.partition, ErrorCode.offset_out_of_range, log_start_offset=log.start_offset)
    stable = log.stable_offset
    end = stable if terms.committed_only else log.end_offset
    records = b""
    if each.fetch_offset < end and (terms.first or terms.budget > 0):
        limit = max(min(terms.budget, each.partition_max_bytes), 0)
        before = stable if terms.committed_only else None
        try:
            records = log.read(each.fetch_offset, limit, at_least_one=terms.first, before=before)
        except OSError as error:
            _log.error("%s: offset %d cannot be read: %s", log.name, each.fetch_offset, error)
            return FetchedPartition(each.partition, ErrorCode.kafka_storage_error)
        except DamagedError as error:
            _log.error("%s: offset %d cannot be read: %s; what comes after it can", log.name, each.fetch_offset, error)
            return FetchedPartition(each.partition, ErrorCode.corrupt_message)
    aborted = _aborted(log, each.fetch_offset, records) if terms.committed_only else None
    offsets = (log.end_offset, stable, log.start_offset)
    return FetchedPartition(each.partition, ErrorCode.none, *offsets, records, aborted)


def _aborted(log: PartitionLog, offset: int, records: bytes) -> tuple[tuple[int, int], ...]:
    """Producer and first offset of the aborted transactions that have a share in `records`."""
    found = log.transactions.aborted(offset, log.end_offset) if records else []
    if not found:
        return ()
    end = end_of_batches(records)
    return tuple((each.producer_id, each.first_offset) for each in found if each.first_offset < end)
