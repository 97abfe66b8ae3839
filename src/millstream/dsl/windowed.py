"""Aggregations in windows: what they are kept in, the keys of their results, when these are emitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError, TopologyError
from millstream.plan.nodes import StoreName, StoreSpec
from millstream.plan.site import CallSite
from millstream.plan.windows import (
    FOREVER,
    SessionWindows,
    SlidingWindows,
    TimeWindows,
    UnlimitedWindows,
    Windows,
    needed_ms,
)
from millstream.serde import Serde, SessionWindowedSerde, TimeWindowedSerde

EmitStrategy: TypeAlias = Literal["window_update", "window_close"]

# Kafka's RocksDB stores of on-close windows (not sessions) show a window one ms longer than its others (rule W20)
_ON_CLOSE_SHOWS_MS = 1


@dataclass(frozen=True, slots=True)
class Windowing:
    """How a group is windowed: the windows, how long they are kept, and whether they are emitted on their close."""

    windows: Windows
    retention_ms: int
    on_close: bool = False
    idle_after_ms: int | None = None

    def emitted(self, strategy: EmitStrategy, site: CallSite) -> Windowing:
        if strategy not in ("window_update", "window_close"):
            raise TopologyError(f'{site}: give "window_update" or "window_close", got {strategy!r}')
        if strategy == "window_close" and isinstance(self.windows, UnlimitedWindows):
            raise TopologyError(f"{site}: unlimited windows never close, so nothing would be emitted")
        return replace(self, on_close=strategy == "window_close")

    def store(self, name: str, key: Serde[Any], value: Serde[Any]) -> StoreSpec:
        """The declaration of the store that holds the windows."""
        longer = self.on_close and not isinstance(self.windows, SessionWindows) and not _in_memory(name)
        return StoreSpec(
            name,
            "session" if isinstance(self.windows, SessionWindows) else "window",
            key,
            value,
            window_ms=self._size_ms,
            retention_ms=self.retention_ms,
            by_key=isinstance(self.windows, SlidingWindows),
            shows_ms=_ON_CLOSE_SHOWS_MS if longer else 0,
        )

    def keys(self, key: Serde[Any]) -> Serde[Any]:
        """The serde of the results' keys (rule F6)."""
        if isinstance(self.windows, SessionWindows):
            return SessionWindowedSerde(key)
        return TimeWindowedSerde(key, self._size_ms)

    @property
    def _size_ms(self) -> int:
        match self.windows:
            case TimeWindows(size_ms=size):
                return size
            case SlidingWindows(difference_ms=difference):
                return difference
            case UnlimitedWindows():
                return FOREVER
            case SessionWindows():
                return 0


def _in_memory(name: str) -> bool:
    return isinstance(name, StoreName) and name.store_type == "memory"


def windowing(
    windows: Windows,
    retention: Duration | None,
    idle_after: Duration | None,
    site: CallSite,
    before: Windowing | None = None,
) -> Windowing:
    """Windows, kept for as long as they need to be, or for the retention given, if it is no shorter."""
    if before is not None:
        raise TopologyError(
            f"{site}: the group has windows already, {before.windows!r}; call windowed_by once, and for a second "
            "aggregation on the group itself"
        )
    if not isinstance(windows, TimeWindows | UnlimitedWindows | SlidingWindows | SessionWindows):
        raise TopologyError(f"{site}: expected windows such as ms.tumbling('10s'), got {windows!r}")
    needed, idle_after_ms = needed_ms(windows), idle_ms(idle_after, site)
    if retention is None:
        return Windowing(windows, needed, idle_after_ms=idle_after_ms)
    try:
        given = parse_duration_ms(retention)
    except ConfigError as error:
        raise TopologyError(f"{site}: retention: {error}") from error
    if given < needed:
        raise TopologyError(f"{site}: a retention of {given} ms is too short: these windows need {needed} ms")
    return Windowing(windows, given, idle_after_ms=idle_after_ms)


def idle_ms(idle_after: Duration | None, site: CallSite) -> int | None:
    """How long no records must have come before time goes on by the wall clock; None: as the program's settings say."""
    if idle_after is None:
        return None
    try:
        given = parse_duration_ms(idle_after)
    except ConfigError as error:
        raise TopologyError(f"{site}: idle_after: {error}") from error
    if given < 1:
        raise TopologyError(f"{site}: idle_after must be above 0, got {given} ms")
    return given
