"""Lists in the encoding of Kafka's ListSerializer; the bytes are what it wrote."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.serde import BOOLEAN, INT32, STRING, UUID, ListSerde, Serde

ID = uuid.UUID("0123abcd-4567-89ef-0123-456789abcdef")


@pytest.mark.parametrize(
    ("inner", "value", "data"),
    [
        (INT32, [1, 2], "0000000000000000020000000100000002"),
        (INT32, [1, None, 2], "000000000100000001000000030000000100000002"),
        (UUID, [ID], "000000000000000001" + str(ID).encode().hex()),
        (STRING, ["x", None, "yz"], "01000000030000000178ffffffff00000002797a"),
        (BOOLEAN, [True, False], "010000000200000001010000000100"),
    ],
)
def test_lists_are_written_as_kafka_writes_them(inner: Serde[Any], value: list[Any], data: str) -> None:
    serde = ListSerde(inner)
    assert serde.encode(value).hex() == data
    assert serde.decode(bytes.fromhex(data)) == value


@given(st.lists(st.none() | st.text()), st.lists(st.none() | st.integers(-(2**31), 2**31 - 1)))
def test_round_trips(texts: list[str | None], numbers: list[int | None]) -> None:
    assert ListSerde(STRING).decode(ListSerde(STRING).encode(texts)) == texts
    assert ListSerde(INT32).decode(ListSerde(INT32).encode(numbers)) == numbers
    nested = ListSerde(ListSerde(INT32))
    assert nested.decode(nested.encode([numbers, None])) == [numbers, None]


@pytest.mark.parametrize("data", ["", "01", "0000000000000000020000000100", "00000000000000000100000001ff"])
def test_what_is_no_such_list_is_refused(data: str) -> None:
    with pytest.raises(Exception, match=r"list\(int32\)|int32 is 4 bytes|requires a buffer"):
        ListSerde(INT32).decode(bytes.fromhex(data))


@given(st.binary(max_size=40))
def test_no_bytes_do_more_than_raise(data: bytes) -> None:
    for inner in (INT32, STRING):
        try:
            value = ListSerde(inner).decode(data)
        except Exception:
            continue
        assert ListSerde(inner).decode(ListSerde(inner).encode(value)) == value


def test_only_lists_are_taken() -> None:
    with pytest.raises(TypeError, match="expected a list, got str"):
        ms.ListSerde(ms.STRING).encode("x")  # type: ignore[arg-type]
