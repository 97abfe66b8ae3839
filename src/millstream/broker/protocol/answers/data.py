"""Answers about records: Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

Produce and Fetch write themselves: a generic writer costs ten times as much, and they are what a broker does all day.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from kio.schema.errors import ErrorCode

from millstream.broker.protocol.varint import array_length, compact_string, legacy_string, unsigned_varint

NO_THROTTLE = timedelta(0)
Write = Callable[[bytes], object]

_INT32 = struct.Struct(">i")
_PRODUCED = struct.Struct(">ihqqq")
_PRODUCED_V4 = struct.Struct(">ihqq")
_FETCH_HEAD = struct.Struct(">ihi")
_FETCHED = struct.Struct(">ihqqq")
_FETCHED_V4 = struct.Struct(">ihqq")
_ABORTED = struct.Struct(">qq")


@dataclass(frozen=True, slots=True)
class ProducedPartition:
    index: int
    error_code: ErrorCode = ErrorCode.none
    base_offset: int = -1
    log_append_time_ms: int = -1
    log_start_offset: int = -1
    error_message: str | None = None
    record_errors: tuple[tuple[int, str], ...] = ()
    """Place in the batch, and why."""


@dataclass(frozen=True, slots=True)
class ProducedTopic:
    name: str | None
    partitions: tuple[ProducedPartition, ...]
    topic_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Produced:
    """Versions 3 to 13."""

    topics: tuple[ProducedTopic, ...]

    def encode(self, version: int, write: Write) -> None:
        flexible = version >= 9
        string = compact_string if flexible else legacy_string
        write(array_length(len(self.topics), flexible=flexible))
        for topic in self.topics:
            write(string(topic.name) if version < 13 else _uuid(topic.topic_id))
            write(array_length(len(topic.partitions), flexible=flexible))
            for each in topic.partitions:
                fields = (each.index, each.error_code, each.base_offset, each.log_append_time_ms)
                if version < 5:
                    write(_PRODUCED_V4.pack(*fields))
                    continue
                write(_PRODUCED.pack(*fields, each.log_start_offset))
                if version >= 8:
                    write(array_length(len(each.record_errors), flexible=flexible))
                    for place, why in each.record_errors:
                        write(_INT32.pack(place) + string(why) + (b"\0" if flexible else b""))
                    write(string(each.error_message))
                if flexible:
                    write(b"\0")
            if flexible:
                write(b"\0")
        write(b"\0\0\0\0\0" if flexible else b"\0\0\0\0")


@dataclass(frozen=True, slots=True)
class FetchedPartition:
    index: int
    error_code: ErrorCode = ErrorCode.none
    high_watermark: int = -1
    last_stable_offset: int = -1
    log_start_offset: int = -1
    records: bytes = b""
    aborted: tuple[tuple[int, int], ...] | None = None
    """Producer id and first offset of each aborted transaction; None unless only committed records were asked for."""


@dataclass(frozen=True, slots=True)
class FetchedTopic:
    name: str | None
    partitions: tuple[FetchedPartition, ...]
    topic_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """Versions 4 to 18; the session id is always 0: each request names all its partitions."""

    topics: tuple[FetchedTopic, ...]
    error_code: ErrorCode = ErrorCode.none

    def encode(self, version: int, write: Write) -> None:
        flexible = version >= 12
        string = compact_string if flexible else legacy_string
        write(_FETCH_HEAD.pack(0, self.error_code, 0) if version >= 7 else b"\0\0\0\0")
        write(array_length(len(self.topics), flexible=flexible))
        for topic in self.topics:
            write(string(topic.name) if version < 13 else _uuid(topic.topic_id))
            write(array_length(len(topic.partitions), flexible=flexible))
            for each in topic.partitions:
                write(each_head(each, version))
                if each.records:
                    write(each.records)
                if flexible:
                    write(b"\0")
            if flexible:
                write(b"\0")
        if flexible:
            write(b"\0")


def each_head(each: FetchedPartition, version: int) -> bytes:
    """Everything of a partition up to its records; there is no preferred replica."""
    fields = (each.index, each.error_code, each.high_watermark, each.last_stable_offset)
    size = len(each.records)
    if version < 5:
        return _FETCHED_V4.pack(*fields) + _aborted(each.aborted) + size.to_bytes(4, "big")
    head = _FETCHED.pack(*fields, each.log_start_offset)
    if version < 11:
        return head + _aborted(each.aborted) + size.to_bytes(4, "big")
    if version == 11:
        return head + _aborted(each.aborted) + b"\xff\xff\xff\xff" + size.to_bytes(4, "big")
    return head + _compact_aborted(each.aborted) + b"\xff\xff\xff\xff" + unsigned_varint(size + 1)


def _uuid(topic_id: UUID | None) -> bytes:
    return bytes(16) if topic_id is None else topic_id.bytes


def _aborted(aborted: tuple[tuple[int, int], ...] | None) -> bytes:
    if aborted is None:
        return b"\xff\xff\xff\xff"
    return len(aborted).to_bytes(4, "big") + b"".join(_ABORTED.pack(*each) for each in aborted)


def _compact_aborted(aborted: tuple[tuple[int, int], ...] | None) -> bytes:
    if aborted is None:
        return b"\0"
    return unsigned_varint(len(aborted) + 1) + b"".join(_ABORTED.pack(*each) + b"\0" for each in aborted)


@dataclass(frozen=True, slots=True)
class ListedPartition:
    partition_index: int
    error_code: ErrorCode = ErrorCode.none
    timestamp: int = -1
    offset: int = -1
    leader_epoch: int = -1


@dataclass(frozen=True, slots=True)
class ListedTopic:
    name: str
    partitions: tuple[ListedPartition, ...]


@dataclass(frozen=True, slots=True)
class ListedOffsets:
    topics: tuple[ListedTopic, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class EpochEnd:
    partition: int
    error_code: ErrorCode = ErrorCode.none
    leader_epoch: int = -1
    end_offset: int = -1


@dataclass(frozen=True, slots=True)
class EpochEndTopic:
    topic: str
    partitions: tuple[EpochEnd, ...]


@dataclass(frozen=True, slots=True)
class EpochEnds:
    topics: tuple[EpochEndTopic, ...]
    throttle_time: timedelta = NO_THROTTLE


@dataclass(frozen=True, slots=True)
class DeletedRecordsPartition:
    partition_index: int
    low_watermark: int = -1
    error_code: ErrorCode = ErrorCode.none


@dataclass(frozen=True, slots=True)
class DeletedRecordsTopic:
    name: str
    partitions: tuple[DeletedRecordsPartition, ...]


@dataclass(frozen=True, slots=True)
class DeletedRecords:
    topics: tuple[DeletedRecordsTopic, ...]
    throttle_time: timedelta = NO_THROTTLE
