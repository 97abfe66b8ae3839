"""Serdes: Kafka's own encodings, JSON, canonical keys, windowed keys (F6, F16, F17)."""

from __future__ import annotations

import dataclasses
import datetime
import math
import uuid
from typing import Any, NewType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.serde import (
    BOOLEAN,
    BYTES,
    FLOAT32,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    STRING,
    UUID,
    VOID,
    JsonSerde,
    Serde,
    TimeWindowedSerde,
    Window,
    Windowed,
    all_decoded,
    is_hashable,
    serde_for,
)
from millstream.serde.murmur2 import murmur2, partition_for

ID = uuid.UUID("0123abcd-4567-89ef-0123-456789abcdef")


@pytest.mark.parametrize(
    ("serde", "value", "data"),
    [
        (STRING, "é", "c3a9"),
        (BYTES, b"\x00a", "0061"),
        (INT16, -2, "fffe"),
        (INT32, -2, "fffffffe"),
        (INT64, 42, "000000000000002a"),
        (FLOAT32, 1.5, "3fc00000"),
        (FLOAT64, 1.5, "3ff8000000000000"),
        (BOOLEAN, True, "01"),
        (BOOLEAN, False, "00"),
        (UUID, ID, "30313233616263642d343536372d383965662d303132332d343536373839616263646566"),
    ],
)
def test_scalars_are_written_as_kafka_writes_them(serde: Serde[Any], value: Any, data: str) -> None:
    assert serde.encode(value).hex() == data
    assert serde.decode(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    ("serde", "value"),
    [
        (STRING, 5),
        (STRING, b"x"),
        (BYTES, "x"),
        (INT64, "1"),
        (INT64, 2**63),
        (INT32, 2**31),
        (INT16, -(2**15) - 1),
        (INT64, 1.0),
        (FLOAT32, 1e39),
        (FLOAT64, "1"),
        (BOOLEAN, 1),
        (UUID, str(ID)),
    ],
)
def test_scalars_refuse_what_they_are_not_for(serde: Serde[Any], value: Any) -> None:
    with pytest.raises(TypeError, match=r"expected|does not fit"):
        serde.encode(value)


@pytest.mark.parametrize(
    ("serde", "data", "said"),
    [
        (INT64, b"12", "int64 is 8 bytes, got 2 bytes: b'12'; was it written as text, or with another serialiser?"),
        (INT16, b"", "int16 is 2 bytes, got 0 bytes"),
        (FLOAT32, b"x" * 30, r"got 30 bytes: b'x{20}' \.\.\."),
        (BOOLEAN, b"true", "a boolean is the byte 0 or 1, got 4 bytes: b'true'"),
        (BOOLEAN, b"\x02", "got 1 byte: "),
        (UUID, b"x", "a UUID is text like"),
        (VOID, b"x", "void is always null, got 1 byte: b'x'"),
    ],
)
def test_bytes_of_another_form_are_refused(serde: Serde[Any], data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        serde.decode(data)


def test_an_integer_that_is_too_large_is_told_where_it_fits() -> None:
    with pytest.raises(TypeError, match=r"does not fit int64: .*; ms.JsonSerde\(int\) takes integers of any size"):
        INT64.encode(2**63)


def test_void_has_no_values() -> None:
    with pytest.raises(TypeError, match="void has no values but None"):
        VOID.encode(1)


@given(st.floats(width=32, allow_nan=False))
def test_floats_of_32_bits(value: float) -> None:
    assert FLOAT32.decode(FLOAT32.encode(value)) == value


@given(st.text(), st.binary(), st.uuids(), st.booleans(), st.floats(allow_nan=False))
def test_scalars_survive(text: str, raw: bytes, of_uuid: uuid.UUID, flag: bool, number: float) -> None:
    for serde, value in [(STRING, text), (BYTES, raw), (UUID, of_uuid), (BOOLEAN, flag), (FLOAT64, number)]:
        assert serde.decode(serde.encode(value)) == value  # type: ignore[arg-type]


@given(st.integers())
def test_integers_survive_or_are_refused(number: int) -> None:
    for serde, bits in [(INT16, 16), (INT32, 32), (INT64, 64)]:
        if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            assert serde.decode(serde.encode(number)) == number
            assert serde.encode(number) == number.to_bytes(bits // 8, "big", signed=True)
        else:
            with pytest.raises(TypeError, match="does not fit"):
                serde.encode(number)


def test_nan_is_the_number_that_java_writes() -> None:
    assert FLOAT64.encode(math.nan).hex() == "7ff8000000000000"


class Place(ms.Record):
    town: str
    zone: int = 0


class Loose(msgspec.Struct):
    town: str


class Tagged(ms.Record):
    tags: list[str]


class Tree(ms.Record):
    children: tuple[Tree, ...] = ()


@dataclasses.dataclass(frozen=True)
class Point:
    x: int


@pytest.mark.parametrize("value", [Place("x", 1), None])
def test_types_are_checked_when_decoded(value: Any) -> None:
    assert serde_for(Place).decode(b'{"town":"x","zone":1}') == Place("x", 1)
    with pytest.raises(msgspec.ValidationError, match="missing required field `town`"):
        serde_for(Place).decode(b"{}")


def test_serdes_are_chosen_by_type() -> None:
    assert serde_for(str) is STRING
    assert serde_for(int) is INT64
    assert serde_for(INT32) is INT32
    assert serde_for(bool) is BOOLEAN
    assert serde_for(uuid.UUID) is UUID
    assert serde_for(type(None)) is VOID
    assert serde_for(dict[str, int]).name == "json(dict[str, int])"


UserId = NewType("UserId", str)
Tags = NewType("Tags", list[str])


def test_a_new_type_is_written_as_what_it_stands_for() -> None:
    assert serde_for(UserId) is STRING
    assert serde_for(UserId | None) is STRING
    assert serde_for(NewType("Admin", UserId)) is STRING
    assert serde_for(Tags).decode(b'["a"]') == ["a"]
    assert not is_hashable(Tags)


def test_none_never_reaches_a_serde() -> None:
    """`-> str | None` writes strings, as `-> str` does."""
    assert serde_for(str | None) is STRING
    assert serde_for(Place | None).type is Place
    assert serde_for(int | str | None).type == int | str


def test_equal_keys_have_equal_bytes() -> None:
    keys = JsonSerde(dict[str, Any], key=True)
    assert keys.encode({"b": {"d": 1, "c": 2}, "a": 1}) == keys.encode({"a": 1, "b": {"c": 2, "d": 1}})
    assert keys.encode({"b": 1, "a": 2}) == b'{"a":2,"b":1}'


@pytest.mark.parametrize(
    ("of", "hashable"),
    [
        (str, True),
        (Place, True),
        (Point, True),
        (Tree, True),
        (tuple[str, ...], True),
        (datetime.date, True),
        (str | int, True),
        (Loose, False),
        (Tagged, False),
        (list[str], False),
        (dict, False),
        (tuple[list[int], str], False),
        (str | list[str], False),
    ],
)
def test_what_can_be_a_key_of_a_store(of: Any, hashable: bool) -> None:
    assert is_hashable(of) is hashable


def test_only_bytes_that_follow_from_equality_are_remembered() -> None:
    assert JsonSerde(Place, key=True).cacheable
    assert not JsonSerde(Any, key=True).cacheable, "1, 1.0 and True are equal in Python"
    assert not JsonSerde(Loose, key=True).cacheable
    assert not JsonSerde(Tagged, key=True).cacheable
    assert not FLOAT64.cacheable, "0.0 and -0.0 are equal"


def test_windowed_keys() -> None:  # F6, F17
    serde = TimeWindowedSerde(STRING, 10)
    key = Windowed("a", Window(10, 20))
    assert serde.encode(key) == bytes.fromhex("61 000000000000000a")
    assert serde.decode(serde.encode(key)) == key
    assert hash(key) == hash(Windowed("a", Window(10, 20)))
    assert key != Windowed("a", Window(20, 30))


def test_attributes_of_a_windowed_key_are_those_of_the_key() -> None:
    key = Windowed(Place("x", 3), Window(0, 1))
    assert (key.town, key.zone) == ("x", 3)
    with pytest.raises(AttributeError):
        key.country  # noqa: B018


@pytest.mark.parametrize(
    ("key", "signed"),
    [(b"a", -1563381124), (b"b", -1853091852), (b"hello", 2132663229), (b"foobar", -790332482), (b"", 275646681)],
)
def test_murmur2(key: bytes, signed: int) -> None:  # F16
    assert murmur2(key) == signed % 2**32


def test_partitions() -> None:  # F14, F16
    assert murmur2((42).to_bytes(8, "big")) == 506863552
    assert [partition_for(key, 10) for key in (b"a", b"b", b"hello", b"foobar")] == [4, 6, 9, 6]


@pytest.mark.parametrize(
    ("key", "signed"),  # Kafka's own: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java
    [
        (b"21", -973932308),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_of_kafkas_own_tests(key: bytes, signed: int) -> None:  # F16
    assert murmur2(key) == signed % 2**32


@given(
    st.lists(st.one_of(st.binary(max_size=6), st.text(max_size=6).map(lambda text: text.encode("utf-8", "replace"))))
)
def test_many_are_decoded_as_each_alone(rows: list[bytes]) -> None:
    assert all_decoded(STRING, rows) == [STRING.decode(each) for each in rows]
    assert all_decoded(BYTES, rows) == rows
