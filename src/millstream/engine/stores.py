"""From a store's declaration to an empty store."""

from __future__ import annotations

from typing import TypeAlias

from millstream.plan.nodes import StoreSpec
from millstream.state import KeyValueRows, WindowRows

Rows: TypeAlias = KeyValueRows | WindowRows


def open_store(spec: StoreSpec) -> Rows:
    if spec.kind == "window":
        return WindowRows(spec.name, (spec.key, spec.value), spec.window_ms, spec.retention_ms)
    return KeyValueRows(spec.name, spec.key, spec.value)
