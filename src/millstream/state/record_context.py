"""Kafka Streams' form of a buffered value: the record's place and headers, then prior, old and new value (rule F9)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from millstream.model import Headers, TopicPartition

_PLACE = Struct(">qqi")
_INT = Struct(">i")
_LONG = Struct(">q")
_ABSENT = -1
_SAME = -2


class Placed(Protocol):
    """What is known of a buffered record besides its value."""

    @property
    def timestamp(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def source(self) -> TopicPartition: ...
    @property
    def headers(self) -> Headers: ...


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a buffered change: before the first that is buffered, before the last, and after it."""

    prior: bytes | None
    old: bytes | None
    new: bytes | None


def written_record(record: Placed, new: bytes) -> bytes:
    """A record that has no prior and no old value, and no buffer time of its own."""
    return written_change(record, Values(None, None, new), 0)


def written_change(record: Placed, values: Values, buffer_time: int) -> bytes:
    """A record with its values and buffer time; an old value that is the prior one too is not written again."""
    topic = record.source.topic.encode()
    parts = [_PLACE.pack(record.timestamp, record.offset, len(topic)), topic, _INT.pack(record.source.partition)]
    parts.append(_INT.pack(len(record.headers)))
    for name, text in record.headers:
        parts += [_sized(name.encode()), _sized(text)]
    same = values.old is not None and values.old == values.prior
    old = _INT.pack(_SAME) if same else _sized(values.old)
    return b"".join([*parts, _sized(values.prior), old, _sized(values.new), _LONG.pack(buffer_time)])


def read_record(data: bytes) -> tuple[int, int, TopicPartition, Headers, bytes]:
    """Timestamp, offset, source, headers and new value."""
    timestamp, offset, source, headers, values, _ = read_change(data)
    return timestamp, offset, source, headers, values.new or b""


def read_change(data: bytes) -> tuple[int, int, TopicPartition, Headers, Values, int]:
    """Timestamp, offset, source, headers, values and buffer time."""
    timestamp, offset, size = _PLACE.unpack_from(data)
    at = _PLACE.size
    topic = data[at : at + size].decode()
    partition, count = _INT.unpack_from(data, at + size)[0], _INT.unpack_from(data, at + size + _INT.size)[0]
    at += size + 2 * _INT.size
    headers = []
    for _ in range(count):
        name, at = _read_sized(data, at)
        text, at = _read_sized(data, at)
        headers.append(((name or b"").decode(), text))
    prior, at = _read_sized(data, at)
    if _INT.unpack_from(data, at)[0] == _SAME:
        old, at = prior, at + _INT.size
    else:
        old, at = _read_sized(data, at)
    new, at = _read_sized(data, at)
    values = Values(prior, old, new)
    return timestamp, offset, TopicPartition(topic, partition), tuple(headers), values, _LONG.unpack_from(data, at)[0]


def _sized(data: bytes | None) -> bytes:
    return _INT.pack(_ABSENT) if data is None else _INT.pack(len(data)) + data


def _read_sized(data: bytes, at: int) -> tuple[bytes | None, int]:
    size = _INT.unpack_from(data, at)[0]
    at += _INT.size
    return (None, at) if size < 0 else (data[at : at + size], at + size)
