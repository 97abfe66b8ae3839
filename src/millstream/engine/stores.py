"""From a store's declaration to an empty store."""

from __future__ import annotations

from typing import TypeAlias

from millstream.plan.nodes import StoreSpec
from millstream.state import JoinBufferRows, KeyValueRows, VersionedRows, WindowRows

Rows: TypeAlias = KeyValueRows | WindowRows | VersionedRows | JoinBufferRows


def open_store(spec: StoreSpec) -> Rows:
    match spec.kind:
        case "window":
            return WindowRows(spec.name, (spec.key, spec.value), spec.window_ms, spec.retention_ms)
        case "versioned":
            return VersionedRows(spec.name, (spec.key, spec.value), spec.history_ms)
        case "join-buffer":
            return JoinBufferRows(spec.name, (spec.key, spec.value))
        case "keyvalue":
            return KeyValueRows(spec.name, spec.key, spec.value)
