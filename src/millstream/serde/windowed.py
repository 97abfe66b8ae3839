"""Keys of windowed results: the key, and the window it stands for (rule F6)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Any, Generic, NamedTuple, TypeVar

from millstream.serde.contract import Serde, bound

K = TypeVar("K")

_START = Struct(">q")
_END_START = Struct(">qq")
_START_NUMBER = Struct(">qi")
_LAST_MS = 2**63 - 1


class Window(NamedTuple):
    """A span of event time in ms since the epoch: `[start, end)` for tumbling, hopping and unlimited windows.

    Of sliding windows and sessions the end belongs to it: a session's is the timestamp of its last record.

    >>> Window(0, 10_000).end
    10000
    """

    start: int
    end: int


# `Window(start, end)` with one argument, the pair, in a third of the time
window_of: Callable[[tuple[int, int]], Window] = partial(tuple.__new__, Window)


class Windowed(Generic[K]):
    """A key in a window, as Kafka Streams' `Windowed`. Attributes of the key can be read from it directly.

    >>> Windowed("lyon", Window(0, 10_000))
    lyon@0/10000
    """

    __slots__ = ("key", "window")

    key: K
    window: Window

    def __init__(self, key: K, window: Window) -> None:
        self.key = key
        self.window = window

    def __getattr__(self, name: str) -> Any:
        if name in Windowed.__slots__:  # not set yet, as while being unpickled
            raise AttributeError(name)
        return getattr(self.key, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Windowed) and self.window == other.window and bool(self.key == other.key)

    def __hash__(self) -> int:
        return hash((self.key, self.window))

    def __repr__(self) -> str:
        key = self.key if isinstance(self.key, str) else repr(self.key)
        return f"{key}@{self.window.start}/{self.window.end}"


class TimeWindowedSerde(Generic[K]):
    """The key's bytes, then the window's start as i64; the end is start + size, at most the largest i64.

    >>> from millstream.serde import STRING
    >>> serde = TimeWindowedSerde(STRING, 10)
    >>> serde.encode(Windowed("a", Window(20, 30))).hex(), serde.decode(b"a" + bytes(8))
    ('610000000000000014', a@0/10)
    """

    __slots__ = ("cacheable", "inner", "name", "size_ms", "type")

    def __init__(self, inner: Serde[K], size_ms: int) -> None:
        self.inner = inner
        self.size_ms = size_ms
        self.name = f"time-windowed({inner.name}, {size_ms})"
        self.type = Windowed
        self.cacheable = inner.cacheable

    def for_topic(self, topic: str, *, is_key: bool) -> TimeWindowedSerde[K]:
        return TimeWindowedSerde(bound(self.inner, topic, is_key=is_key), self.size_ms)

    def encode(self, value: Windowed[K], /) -> bytes:
        return self.inner.encode(value.key) + _START.pack(value.window.start)

    def decode(self, data: bytes, /) -> Windowed[K]:
        _require(data, _START)
        start = _START.unpack(data[-8:])[0]
        return Windowed(self.inner.decode(data[:-8]), Window(start, min(start + self.size_ms, _LAST_MS)))


class WindowChangelogSerde(Generic[K]):
    """Keys in the changelog of a store of windows: as `TimeWindowedSerde`, and a number as i32, here 0 (rule F2)."""

    __slots__ = ("cacheable", "inner", "name", "size_ms", "type")

    def __init__(self, inner: Serde[K], size_ms: int) -> None:
        self.inner = inner
        self.size_ms = size_ms
        self.name = f"window-changelog({inner.name}, {size_ms})"
        self.type = Windowed
        self.cacheable = inner.cacheable

    def for_topic(self, topic: str, *, is_key: bool) -> WindowChangelogSerde[K]:
        return WindowChangelogSerde(bound(self.inner, topic, is_key=is_key), self.size_ms)

    def encode(self, value: Windowed[K], /) -> bytes:
        return self.inner.encode(value.key) + _START_NUMBER.pack(value.window.start, 0)

    def decode(self, data: bytes, /) -> Windowed[K]:
        _require(data, _START_NUMBER)
        start, _ = _START_NUMBER.unpack(data[-12:])
        return Windowed(self.inner.decode(data[:-12]), Window(start, min(start + self.size_ms, _LAST_MS)))


class SessionWindowedSerde(Generic[K]):
    """The key's bytes, then the session's end and its start as i64.

    >>> from millstream.serde import STRING
    >>> SessionWindowedSerde(STRING).encode(Windowed("a", Window(13, 20))).hex()
    '610000000000000014000000000000000d'
    """

    __slots__ = ("cacheable", "inner", "name", "type")

    def __init__(self, inner: Serde[K]) -> None:
        self.inner = inner
        self.name = f"session-windowed({inner.name})"
        self.type = Windowed
        self.cacheable = inner.cacheable

    def for_topic(self, topic: str, *, is_key: bool) -> SessionWindowedSerde[K]:
        return SessionWindowedSerde(bound(self.inner, topic, is_key=is_key))

    def encode(self, value: Windowed[K], /) -> bytes:
        start, end = value.window
        return self.inner.encode(value.key) + _END_START.pack(end, start)

    def decode(self, data: bytes, /) -> Windowed[K]:
        _require(data, _END_START)
        end, start = _END_START.unpack(data[-16:])
        return Windowed(self.inner.decode(data[:-16]), Window(start, end))


def _require(data: bytes, suffix: Struct) -> None:
    if len(data) < suffix.size:
        raise ValueError(f"a windowed key ends with {suffix.size} bytes that tell its window, got {data!r}")
