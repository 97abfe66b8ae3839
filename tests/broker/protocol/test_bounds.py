"""Lengths are walked through before anything is decoded: what announces too much is refused, not a reason to die."""

from __future__ import annotations

import pytest
from kio.serial import entity_reader

from millstream.broker.protocol import apis
from millstream.broker.protocol.bounds import walker
from millstream.broker.protocol.codec import UnreadableRequestError, read_request
from tests.broker.core import frame, request_type
from tests.broker.protocol.test_every_version import ALL, filled


@pytest.mark.parametrize(("key", "version"), ALL)
def test_it_walks_to_the_end_of_every_request(key: int, version: int) -> None:
    schema = request_type(key, version)
    raw = frame(key, version, filled(schema))
    _, begin = entity_reader(schema.__header_schema__)(raw, 0)
    assert walker(schema)(raw, begin) == len(raw)


@pytest.mark.parametrize("version", [8, 9])
@pytest.mark.parametrize("count", [b"\x7f\xff\xff\xff", b"\x10\x00\x00\x00", b"\x00\x00\x00\x08"])
def test_more_elements_than_bytes_are_refused(version: int, count: bytes) -> None:
    flags = {"include_cluster_authorized_operations": False, "include_topic_authorized_operations": False}
    raw = frame(apis.METADATA, version, request_type(apis.METADATA, version)(topics=(), **flags))
    rest = 3 + (version >= 9)
    size = 4 if version < 9 else 1
    announced = count if version < 9 else _varint(int.from_bytes(count, "big") + 1)
    damaged = raw[: len(raw) - rest - size] + announced + raw[len(raw) - rest :]
    with pytest.raises(UnreadableRequestError, match="are announced"):
        read_request(damaged)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_a_varint_without_end_is_refused() -> None:
    flags = {"include_cluster_authorized_operations": False, "include_topic_authorized_operations": False}
    raw = frame(apis.METADATA, 9, request_type(apis.METADATA, 9)(topics=(), **flags))
    for more in (4, 5, 9):
        with pytest.raises(UnreadableRequestError):
            read_request(raw[:-5] + b"\xff" * more + raw[-4:])
