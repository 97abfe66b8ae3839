"""Serdes for topics with windowed keys, as a program asks for them."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError, TopologyError
from millstream.serde.contract import Serde
from millstream.serde.infer import serde_for
from millstream.serde.windowed import SessionWindowedSerde, TimeWindowedSerde, WindowChangelogSerde, Windowed
from millstream.site import call_site

K = TypeVar("K")


@overload
def time_windowed(key: type[K], size: Duration, *, changelog: bool = False) -> Serde[Windowed[K]]: ...
@overload
def time_windowed(key: Serde[K], size: Duration, *, changelog: bool = False) -> Serde[Windowed[K]]: ...
def time_windowed(key: Any, size: Duration, *, changelog: bool = False) -> Serde[Windowed[Any]]:
    """Keys in tumbling, hopping or sliding windows of that size; Kafka Streams' `TimeWindowedSerde` (rule F6).

    The topic holds the key's bytes and the window's start; the end follows from the size. With `changelog` it is the
    changelog of a store of windows, to be read: its keys have a number behind them (rule F2). Changelogs of sessions
    have keys like any topic of sessions.

    >>> from millstream.serde.windowed import Window
    >>> time_windowed(str, "10s").decode(b"lyon" + (20_000).to_bytes(8, "big"))
    lyon@20000/30000
    """
    try:
        size_ms = parse_duration_ms(size)
    except ConfigError as error:
        raise TopologyError(f"{call_site('time_windowed')}: size: {error}") from error
    if size_ms <= 0:
        raise TopologyError(f"{call_site('time_windowed')}: a window's size must be above 0, got {size!r}")
    inner = _inner(key, "time_windowed")
    return WindowChangelogSerde(inner, size_ms) if changelog else TimeWindowedSerde(inner, size_ms)


@overload
def session_windowed(key: type[K]) -> Serde[Windowed[K]]: ...
@overload
def session_windowed(key: Serde[K]) -> Serde[Windowed[K]]: ...
def session_windowed(key: Any) -> Serde[Windowed[Any]]:
    """Keys in sessions; Kafka Streams' `SessionWindowedSerde` (rule F6). The topic holds key, end and start.

    >>> from millstream.serde.windowed import Window, Windowed
    >>> session_windowed(str).encode(Windowed("a", Window(13, 20))).hex()
    '610000000000000014000000000000000d'
    """
    return SessionWindowedSerde(_inner(key, "session_windowed"))


def _inner(key: Any, operator: str) -> Serde[Any]:
    try:
        return serde_for(key, key=True)
    except TypeError as error:
        raise TopologyError(f"{call_site(operator)}: {key!r} is no type of keys: {error}") from error
