"""From a store's declaration to an empty store."""

from __future__ import annotations

from typing import TypeAlias

from millstream.plan.nodes import StoreSpec
from millstream.serde import bound, exact
from millstream.state import (
    JoinBufferRows,
    JoinRows,
    KeyValueRows,
    ParkedRows,
    SessionRows,
    SubscriptionRows,
    SuppressRows,
    VersionedRows,
    WindowRows,
)

Rows: TypeAlias = (
    KeyValueRows
    | WindowRows
    | SessionRows
    | SuppressRows
    | VersionedRows
    | JoinBufferRows
    | JoinRows
    | ParkedRows
    | SubscriptionRows
)


def open_store(spec: StoreSpec, topic: str) -> Rows:
    """An empty store whose contents are written to a topic, its changelog, or read from one."""
    key, value = bound(spec.key, topic, is_key=True), exact(bound(spec.value, topic, is_key=False))
    match spec.kind:
        case "window":
            return WindowRows(
                spec.name, (key, value), spec.window_ms, spec.retention_ms + spec.shows_ms, by_key=spec.by_key
            )
        case "session":
            return SessionRows(spec.name, (key, value), spec.retention_ms + spec.shows_ms)
        case "suppress":
            return SuppressRows(spec.name, (key, value))
        case "versioned":
            return VersionedRows(spec.name, (key, value), spec.history_ms)
        case "join-buffer":
            return JoinBufferRows(spec.name, (key, value))
        case "join-window":
            return JoinRows(spec.name, (key, value), spec.retention_ms)
        case "join-parked":
            return ParkedRows(spec.name, key, value)
        case "subscriptions":
            return SubscriptionRows(spec.name)
        case "keyvalue":
            return KeyValueRows(spec.name, key, value)
