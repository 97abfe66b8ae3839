"""Whatever bytes come, they are a request or they are refused: nothing else escapes the parser, nor hangs it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.broker.protocol.apis import APIS
from millstream.broker.protocol.codec import UnreadableRequestError, read_request
from tests.broker.core import frame, request_type
from tests.broker.protocol.test_every_version import ALL, filled

VALID = [(key, version, frame(key, version, filled(request_type(key, version)))) for key, version in ALL]
HEAD = st.sampled_from([key.to_bytes(2, "big") + version.to_bytes(2, "big") for key, version in ALL])


def parse(raw: bytes) -> None:
    try:
        request = read_request(raw)
    except UnreadableRequestError:
        return
    assert request.api_key in APIS


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    parse(raw)


@settings(max_examples=400, deadline=None)
@given(HEAD, st.binary(max_size=120))
def test_any_bytes_after_the_head_of_a_request(head: bytes, raw: bytes) -> None:
    parse(head + raw)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(VALID), st.data())
def test_requests_that_are_damaged(valid: tuple[int, int, bytes], data: st.DataObject) -> None:
    raw = bytearray(valid[2])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        if not raw:
            break
    parse(bytes(raw))
