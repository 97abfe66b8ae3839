"""From a store's declaration to an empty store."""

from __future__ import annotations

from typing import TypeAlias

from millstream.plan.nodes import StoreSpec
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


def open_store(spec: StoreSpec) -> Rows:
    match spec.kind:
        case "window":
            return WindowRows(
                spec.name, (spec.key, spec.value), spec.window_ms, spec.retention_ms + spec.shows_ms, by_key=spec.by_key
            )
        case "session":
            return SessionRows(spec.name, (spec.key, spec.value), spec.retention_ms + spec.shows_ms)
        case "suppress":
            return SuppressRows(spec.name, (spec.key, spec.value))
        case "versioned":
            return VersionedRows(spec.name, (spec.key, spec.value), spec.history_ms)
        case "join-buffer":
            return JoinBufferRows(spec.name, (spec.key, spec.value))
        case "join-window":
            return JoinRows(spec.name, (spec.key, spec.value), spec.retention_ms)
        case "join-parked":
            return ParkedRows(spec.name, spec.key, spec.value)
        case "subscriptions":
            return SubscriptionRows(spec.name)
        case "keyvalue":
            return KeyValueRows(spec.name, spec.key, spec.value)
