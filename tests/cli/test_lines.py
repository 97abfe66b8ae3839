"""Records as lines of text, there and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.cli.lines import Line, read_record, read_value, write_record
from millstream.client.cluster import Record
from millstream.errors import DeserializationError
from millstream.model import TopicPartition

DATA = st.none() | st.binary(max_size=20) | st.text(max_size=20).map(str.encode) | st.sampled_from(
    [b'{"a": 1.50}', b"[1,2]", b'{"a":\n1}', b"{", b"null", b'"text"', b"12", b"", b"{\xff}"]
)  # fmt: skip
HEADERS = st.lists(st.tuples(st.text(max_size=5), DATA), max_size=3).map(tuple)


@given(DATA, DATA, st.integers(0, 2**62), HEADERS)
def test_what_is_written_is_read_back_as_the_same_bytes(key, value, timestamp, headers):
    line = write_record(Record(TopicPartition("t", 1), 7, timestamp, key, value, headers))
    assert b"\n" not in line
    assert json.loads(line)["offset"] == 7
    assert read_record(line) == Line(key, value, timestamp, headers)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"valeu": 1}', "unknown field `valeu`"),
        (b'{"value_base64": "%"}', "base64"),
        (b'{"timestamp": "now"}', "Expected `int | null`"),
    ],
)
def test_a_line_that_is_no_record_says_why_and_what_one_is(line, said):
    with pytest.raises(DeserializationError, match=r"a record is a JSON object such as") as refused:
        read_record(line)
    assert said.lower() in str(refused.value).lower()


def test_values_are_lines_as_they_are_and_keys_stand_before_the_first_separator():
    assert read_value(b' {"a": 1} ', None) == Line(None, b' {"a": 1} ')
    assert read_value(b"a::b::c", b"::") == Line(b"a", b"b::c")
    with pytest.raises(DeserializationError, match="no ':' between a key and a value"):
        read_value(b"abc", b":")
