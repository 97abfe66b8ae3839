"""Stores that a program declares for its processors."""

from __future__ import annotations

from typing import Any

from millstream.plan.nodes import StoreSpec
from millstream.serde import serde_for


def key_value_store(name: str, *, key: Any = str, value: Any = Any) -> StoreSpec:
    """A key-value store for processors, logged to `<app>-<name>-changelog`. `key` and `value` are types or serdes.

    >>> key_value_store("seen", value=int).value.name
    'int64'
    """
    return StoreSpec(name, "keyvalue", serde_for(key, key=True), serde_for(value), timestamped=False)
