"""A record as processors see and forward it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from millstream.model import Headers


class Message(msgspec.Struct, frozen=True, gc=False):
    """Kafka Streams' `Record`: key, value, timestamp in ms (0 or more) and headers; immutable (rule P1).

    >>> message = Message("k", 1, 5)
    >>> message.with_value(2)
    Message(key='k', value=2, timestamp=5, headers=())
    >>> message.with_key("x").with_timestamp(7).key
    'x'
    >>> told = message.with_header("from", b"here").with_header("to", b"there")
    >>> told.header("from"), told.without_header("from").headers, told.with_headers(()).headers
    (b'here', (('to', b'there'),), ())
    """

    key: Any
    value: Any
    timestamp: int
    headers: Headers = ()

    def __post_init__(self) -> None:
        if self.timestamp < 0:
            raise ValueError(f"a record's timestamp must not be negative, got {self.timestamp}")

    def header(self, name: str) -> bytes | None:
        """The last header of that name."""
        found = None
        for each, value in self.headers:
            if each == name:
                found = value
        return found

    def with_key(self, key: Any) -> Message:
        """The same record with another key."""
        return Message(key, self.value, self.timestamp, self.headers)

    def with_value(self, value: Any) -> Message:
        """The same record with another value."""
        return Message(self.key, value, self.timestamp, self.headers)

    def with_timestamp(self, timestamp: int) -> Message:
        """The same record with another timestamp, in ms since the epoch."""
        return Message(self.key, self.value, timestamp, self.headers)

    def with_headers(self, headers: Headers) -> Message:
        """The same record with these headers instead of its own: pairs of a name and bytes, or None."""
        return Message(self.key, self.value, self.timestamp, headers)

    def with_header(self, name: str, value: bytes | None) -> Message:
        """One more header; a name may stand several times."""
        return self.with_headers((*self.headers, (name, value)))

    def without_header(self, name: str) -> Message:
        """Without any header of that name."""
        return self.with_headers(tuple(header for header in self.headers if header[0] != name))


class FixedKeyMessage(Message, frozen=True, gc=False):
    """A record whose key stays: what a processor in `process_values` gets, and what it forwards (rule O3)."""

    def with_key(self, key: Any) -> Message:
        raise TypeError("process_values keeps the key; use process to change it")

    def with_value(self, value: Any) -> FixedKeyMessage:
        return FixedKeyMessage(self.key, value, self.timestamp, self.headers)

    def with_timestamp(self, timestamp: int) -> FixedKeyMessage:
        return FixedKeyMessage(self.key, self.value, timestamp, self.headers)

    def with_headers(self, headers: Headers) -> FixedKeyMessage:
        return FixedKeyMessage(self.key, self.value, self.timestamp, headers)

    def with_header(self, name: str, value: bytes | None) -> FixedKeyMessage:
        return self.with_headers((*self.headers, (name, value)))

    def without_header(self, name: str) -> FixedKeyMessage:
        return self.with_headers(tuple(header for header in self.headers if header[0] != name))


class RecordContext(NamedTuple):
    """What there is to know of a record besides its key and value.

    Its timestamp and headers, and where the source record stood, which is nowhere (None, -1, -1) in a punctuation.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> def topic(key: str, line: str, context: ms.RecordContext) -> str:
    ...     return f"{context.topic}-late" if context.timestamp < 1_000 else f"{context.topic}-{context.partition}"
    >>> app = ms.App("lines")
    >>> app.stream("lines", value=str).to(topic)
    >>> drive(app, ("lines", "k", "ho", 1_000), ("lines", "k", "ha", 5))
    {'lines-0': [('k', 'ho')], 'lines-late': [('k', 'ha')]}
    """

    topic: str | None
    partition: int
    offset: int
    timestamp: int
    headers: Headers


class RecordMetadata(NamedTuple):
    """Where the source record of the sub-topology stood (rule P1).

    >>> RecordMetadata("orders", 0, 17)
    RecordMetadata(topic='orders', partition=0, offset=17)
    """

    topic: str | None
    partition: int
    offset: int
