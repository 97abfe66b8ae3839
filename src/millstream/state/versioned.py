"""Versioned key-value stores in memory: what a key's value was at any moment within the history (rules K15, K16)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.changes import Changes
from millstream.state.key_index import KeyIndex
from millstream.state.keyvalue import Row


@dataclass(slots=True)
class Versions:
    """One key's versions, the oldest first; a deleted one has the value None."""

    timestamps: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


class VersionedRows:
    """The rows of one task's versioned store. A version holds from its timestamp until the next one's.

    >>> from millstream.serde import STRING
    >>> rows = VersionedRows("prices", (STRING, STRING), history_ms=50)
    >>> rows.put("a", "new", 100), rows.put("a", "old", 60), rows.put("a", "too old", 49)
    (True, False, None)
    >>> rows.get("a"), rows.at("a", 70)
    (['new', 100], ['old', 60])
    """

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]], history_ms: int) -> None:
        self.name = name
        self.key, self.value = serdes
        self.history_ms = history_ms
        self._newest = -1
        self._keys: dict[Any, Versions] = {}
        self._index: KeyIndex | None = None  # once it was walked
        self._changes: list[tuple[Any, Any, int]] = []

    def __len__(self) -> int:
        return sum(versions.values[-1] is not None for versions in self._keys.values())

    def get(self, key: Any) -> Row | None:
        """The latest version as [value, timestamp]; None if there is none or it is a delete."""
        versions = self._keys.get(key)
        if versions is None or versions.values[-1] is None:
            return None
        return [versions.values[-1], versions.timestamps[-1]]

    def at(self, key: Any, timestamp: int) -> Row | None:
        """The version that held at a moment; from before the history only the latest version is known."""
        versions = self._keys.get(key)
        if versions is None:
            return None
        place = bisect_right(versions.timestamps, timestamp) - 1
        if place < 0 or (timestamp < self._newest - self.history_ms and place < len(versions.values) - 1):
            return None
        value = versions.values[place]
        return None if value is None else [value, versions.timestamps[place]]

    def versions(self, key: Any) -> list[tuple[int, Any]]:
        """The timestamp and value of every version of a key that is still known, the oldest first."""
        versions = self._keys.get(key)
        return [] if versions is None else list(zip(versions.timestamps, versions.values, strict=True))

    def put(self, key: Any, value: Any, timestamp: int) -> bool | None:
        """Store a version; whether it is the key's latest, or None when it is older than the history."""
        latest = self._store(key, value, timestamp)
        if latest is not None:
            self._changes.append((key, value, timestamp))
        return latest

    def delete(self, key: Any, timestamp: int) -> bool | None:
        return self.put(key, None, timestamp)

    def newest(self) -> int:
        """The largest timestamp ever put."""
        return self._newest

    def scan(
        self, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, Any, Row]]:
        """The latest version of every key that has one, with the keys' bytes and in the order of these."""
        if self._index is None:
            self._index = KeyIndex(self.key.encode, self._keys)
        for data, key in self._index.scan(first, end, reverse=reverse):
            row = self.get(key)
            if row is not None:
                yield data, key, row

    def _store(self, key: Any, value: Any, timestamp: int) -> bool | None:
        self._newest = max(self._newest, timestamp)
        horizon = self._newest - self.history_ms
        if timestamp < horizon:
            return None
        versions = self._keys.get(key)
        if versions is None:
            versions = self._keys[key] = Versions()
            if self._index is not None:
                self._index.changed((key,))
        place = bisect_left(versions.timestamps, timestamp)
        if place < len(versions.timestamps) and versions.timestamps[place] == timestamp:
            versions.values[place] = value
        else:
            versions.timestamps.insert(place, timestamp)
            versions.values.insert(place, value)
        latest = place == len(versions.timestamps) - 1
        # versions whose successor is as old as the history's begin hold at no moment that can still be asked for
        gone = bisect_right(versions.timestamps, horizon) - 1
        if gone > 0:
            del versions.timestamps[:gone], versions.values[:gone]
        return latest

    # --- changelog (rule F7)

    def take_changes(self) -> Changes:
        """Every version put since the last call, in that order, each at its own timestamp."""
        encode_key, encode_value = self.key.encode, self.value.encode
        changes = Changes(
            [timestamp for _, _, timestamp in self._changes],
            [encode_key(key) for key, _, _ in self._changes],
            [None if value is None else encode_value(value) for _, value, _ in self._changes],
        )
        self._changes.clear()
        return changes

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        decode_key, decode_value = self.key.decode, self.value.decode
        for key, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if key is not None:
                self._store(decode_key(key), None if value is None else decode_value(value), timestamp)
