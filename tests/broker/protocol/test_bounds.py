"""Lengths are walked through before anything is decoded: what announces too much is refused, not a reason to die."""

from __future__ import annotations

import pytest
from kio.serial import entity_reader

from millstream.broker.protocol import apis
from millstream.broker.protocol.bounds import MOST_ELEMENTS, walker
from millstream.broker.protocol.codec import UnreadableRequestError, read_request
from tests.broker.core import frame, nested, request_type
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


@pytest.mark.parametrize(("count", "taken"), [(MOST_ELEMENTS, True), (MOST_ELEMENTS + 1, False)])
def test_a_request_has_a_bounded_number_of_elements_in_all(count: int, taken: bool) -> None:
    """Nested ones too: a client could otherwise keep the broker busy for many seconds with a few megabytes."""
    schema = request_type(apis.LIST_OFFSETS, 5)
    topic, partition = (nested(apis.LIST_OFFSETS, 5, name) for name in ("ListOffsetsTopic", "ListOffsetsPartition"))
    one = partition(partition_index=0, current_leader_epoch=-1, timestamp=1)
    topics = 10
    each, rest = divmod(count - topics, topics)
    asked = tuple(topic(name="t", partitions=(one,) * (each + (number < rest))) for number in range(topics))
    raw = frame(apis.LIST_OFFSETS, 5, schema(replica_id=-1, isolation_level=0, topics=asked))
    if taken:
        assert len(read_request(raw).message.topics) == topics
        return
    with pytest.raises(UnreadableRequestError, match="more than 100000 elements"):
        read_request(raw)
