"""Records as lines of text: whole ones as JSON objects, or only their values.

A JSON object has `topic`, `partition`, `offset`, `timestamp` (ms), `key`, `value` and `headers` (pairs). Keys and
values that are JSON objects or arrays stand there as they are, other UTF-8 text as a string, and bytes that are neither
in `key_base64` and `value_base64`. What `write_record` writes, `read_record` reads back as the same bytes.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, NamedTuple

import msgspec

from millstream.client.cluster import Record
from millstream.errors import DeserializationError
from millstream.model import Headers

EXAMPLE = '{"key": "k", "value": {"a": 1}, "timestamp": 1790000000000}'

NULL = msgspec.Raw(b"null")

_OPENING = (ord("{"), ord("["))


class Line(NamedTuple):
    """A record to be written."""

    key: bytes | None
    value: bytes | None
    timestamp: int | None = None
    headers: Headers = ()


class _Read(msgspec.Struct, forbid_unknown_fields=True):
    key: msgspec.Raw = NULL
    value: msgspec.Raw = NULL
    key_base64: str | None = None
    value_base64: str | None = None
    timestamp: int | None = None
    headers: list[tuple[str, str | None]] = []
    headers_base64: list[tuple[str, str | None]] = []
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


_decode = msgspec.json.Decoder(_Read).decode
_text = msgspec.json.Decoder(str).decode


def write_record(record: Record) -> bytes:
    """A record as a line of JSON.

    >>> from millstream.model import TopicPartition
    >>> write_record(Record(TopicPartition("t", 0), 7, 5, b"k", b'{"a": 1}', ())).decode()
    '{"topic":"t","partition":0,"offset":7,"timestamp":5,"key":"k","value":{"a": 1}}'
    """
    line: dict[str, Any] = {
        "topic": record.source.topic,
        "partition": record.source.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        **_written("key", record.key),
        **_written("value", record.value),
    }
    if record.headers:
        texts = [(name, _utf8(value)) for name, value in record.headers]
        if all(text is not None or value is None for (_, text), (_, value) in zip(texts, record.headers, strict=True)):
            line["headers"] = texts
        else:
            line["headers_base64"] = [
                (name, None if value is None else b64encode(value).decode()) for name, value in record.headers
            ]
    return msgspec.json.encode(line)


def read_record(line: bytes) -> Line:
    """A record from a line of JSON; topic, partition and offset in it are passed over. Raises DeserializationError.

    >>> read_record(b'{"key": "k", "value": {"a": 1}, "timestamp": 5}')
    Line(key=b'k', value=b'{"a": 1}', timestamp=5, headers=())
    """
    try:
        read = _decode(line)
        headers: Headers = (
            *((name, None if text is None else text.encode()) for name, text in read.headers),
            *((name, None if data is None else b64decode(data, validate=True)) for name, data in read.headers_base64),
        )
        key, value = _bytes(read.key, read.key_base64), _bytes(read.value, read.value_base64)
    except ValueError as error:  # msgspec's and base64's own
        raise DeserializationError(f"{error}; a record is a JSON object such as {EXAMPLE}") from error
    return Line(key, value, read.timestamp, headers)


def read_value(line: bytes, separator: bytes | None) -> Line:
    """A line as a value, behind its key where there is a separator. Raises DeserializationError where it is missing.

    >>> read_value(b"k:v:w", b":")
    Line(key=b'k', value=b'v:w', timestamp=None, headers=())
    """
    if separator is None:
        return Line(None, line)
    key, found, value = line.partition(separator)
    if not found:
        raise DeserializationError(f"there is no {separator.decode()!r} between a key and a value")
    return Line(key, value)


def _written(name: str, data: bytes | None) -> dict[str, Any]:
    if data is None:
        return {name: None}
    if data[:1] and data[0] in _OPENING and b"\n" not in data and b"\r" not in data and _is_json(data):
        return {name: msgspec.Raw(data)}
    text = _utf8(data)
    return {f"{name}_base64": b64encode(data).decode()} if text is None else {name: text}


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except ValueError:
        return False
    return True


def _utf8(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None


def _bytes(raw: msgspec.Raw, base64: str | None) -> bytes | None:
    if base64 is not None:
        return b64decode(base64, validate=True)
    data = bytes(raw)
    if data == b"null":
        return None
    return _text(data).encode() if data.startswith(b'"') else data
