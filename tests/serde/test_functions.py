"""Serdes that users bring along: two functions, or an object."""

from __future__ import annotations

import struct
from typing import Any

import pytest

import millstream as ms
from millstream.errors import DeserializationError, SerializationError, TopologyError
from millstream.serde import bound, serde_for
from millstream.testing import TestDriver


class Point(ms.Record):
    x: int
    y: int


def encode_point(point: Point) -> bytes:
    return struct.pack(">hh", point.x, point.y)


def decode_point(data: bytes) -> Point:
    return Point(*struct.unpack(">hh", data))


POINT = ms.serde_from(encode_point, decode_point, cacheable=True)


def test_two_functions() -> None:
    assert (POINT.name, POINT.type, POINT.cacheable) == ("decode_point", Point, True)
    app = ms.App("x", emit="every")
    app.stream("in", key=POINT, value=POINT).group_by_key().count().to_stream().to("out")
    with TestDriver(app) as driver:
        driver.pipe("in", Point(3, 4), key=Point(1, 2))
        assert driver.read_bytes("out") == [(b"\0\1\0\2", (1).to_bytes(8), 0, ())]
        with pytest.raises(DeserializationError, match="in-0 offset 1: cannot decode the record: unpack requires"):
            driver.pipe_bytes("in", b"x")


def test_what_a_function_raises_is_reported_with_the_place() -> None:
    app = ms.App("x")
    app.stream("in", value=int).map_values(lambda n: Point(n, n), value=POINT).to("out")
    with (
        TestDriver(app) as driver,
        pytest.raises(SerializationError, match=r"in-0 offset 0: cannot encode a record for topic 'out'"),
    ):
        driver.pipe("in", 2**40)


class Upper:
    """No more than the two methods."""

    def encode(self, value: str) -> bytes:
        return value.upper().encode()

    def decode(self, data: bytes) -> str:
        return data.decode().lower()


def test_an_object_with_two_methods() -> None:
    serde = serde_for(Upper())
    assert (serde.name, serde.type, serde.cacheable) == ("Upper", str, False)
    assert serde.decode(serde.encode("x")) == "x"


class OfTopic:
    name = "of-topic"
    type: Any = str
    cacheable = False

    def __init__(self, place: str = "") -> None:
        self.place = place

    def for_topic(self, topic: str, *, is_key: bool) -> OfTopic:
        return OfTopic(f"{topic}-{'key' if is_key else 'value'}:")

    def encode(self, value: str) -> bytes:
        return (self.place + value).encode()

    def decode(self, data: bytes) -> str:
        text = data.decode()
        assert text.startswith(self.place), (text, self.place)
        return text.removeprefix(self.place)


def test_a_serde_learns_its_topic_wherever_it_is_used() -> None:
    """Of sources, sinks, repartition topics and changelogs, keys and values, and inside of other serdes."""
    own = OfTopic()
    app = ms.App("app", emit="every")
    stream = app.stream("in", key=own, value=own)
    stream.to("out")
    stream.to(lambda value: f"to-{value}")
    counts = stream.group_by(lambda v: v, key=own).windowed_by(ms.tumbling(10)).reduce(lambda a, b: a + b, store="sums")
    counts.to_stream().to("windows")
    table = app.table("table", key=own, value=own, store="rows")
    table.group_by(lambda k, v: (v, k), key=own, value=own).reduce(
        adder=lambda a, b: a + b, subtractor=lambda a, b: a.replace(b, "", 1), store="by"
    )
    known = app.global_table("global", key=own, value=own)
    stream.join(known, lambda a, b: a + b, key=lambda v: v, result=own).to("joined")
    right = app.table("right", key=own, value=own)
    table.join(right, lambda a, b: a + b, foreign_key=lambda a: a, result=own).to_stream().to("fk")
    with TestDriver(app, app_id="app") as driver:
        driver.pipe("global", "g", key="v")
        driver.pipe("in", "v", key="k")
        driver.pipe("table", "v", key="k")
        driver.pipe("right", "r", key="v")
        assert [row[:2] for row in driver.read_bytes("out")] == [(b"out-key:k", b"out-value:v")]
        assert [row[:2] for row in driver.read_bytes("to-v")] == [(b"to-v-key:k", b"to-v-value:v")]
        assert [row[:2] for row in driver.read_bytes("joined")] == [(b"joined-key:k", b"joined-value:vg")]
        assert [row[:2] for row in driver.read_bytes("windows")] == [(b"windows-key:v" + bytes(8), b"windows-value:v")]
        assert [(row.key.key, row.value) for row in driver.read("windows")] == []
        assert [row[:2] for row in driver.read_bytes("fk")] == [(b"fk-key:k", b"fk-value:vr")]
        for batch in driver.changelog:
            topic = batch.target.topic
            if "SUBSCRIPTION" in topic:
                continue
            for key, value in zip(batch.keys, batch.values, strict=True):
                assert key is not None and key.startswith(f"{topic}-key:".encode()), (topic, key)
                assert value is None or value.startswith(f"{topic}-value:".encode()), (topic, value)


def test_a_serde_without_a_topic_is_itself() -> None:
    assert bound(ms.INT64, "t", is_key=True) is ms.INT64


@pytest.mark.parametrize("given", [(1, decode_point), (encode_point, None)])
def test_what_are_no_functions_is_refused(given: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError, match="serde_from takes two functions"):
        ms.serde_from(*given)


def test_an_object_that_wants_its_topic_must_be_a_whole_serde() -> None:
    class Half(Upper):
        def for_topic(self, topic: str, *, is_key: bool) -> Half:
            return self

    with pytest.raises(TopologyError, match=r"Half has for_topic, so it must have name, type and cacheable too"):
        ms.App("x").stream("in", value=Half())
