"""Key-value stores in memory: live objects, and a note of which keys the changelog does not have yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.changes import Changes

Row: TypeAlias = list[Any]  # [value, timestamp]: mutable, so that a hot key is updated without another look-up


class KeyValueRows:
    """The rows of one task's store, as the engine's nodes use them.

    `get(key)` gives the row itself. Whoever changes a row in place calls `touch(key, timestamp)`, so that the next
    changelog has it. Keys are compared as Python objects; their serde makes equal bytes of equal keys.
    """

    def __init__(self, name: str, key: Serde[Any], value: Serde[Any]) -> None:
        self.name = name
        self.key = key
        self.value = value
        self._rows: dict[Any, Row] = {}
        self._dirty: dict[Any, int] = {}
        self.get: Callable[[Any], Row | None] = self._rows.get
        self.touch: Callable[[Any, int], None] = self._dirty.__setitem__

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, key: Any, value: Any, timestamp: int) -> None:
        self._rows[key] = [value, timestamp]
        self._dirty[key] = timestamp

    def delete(self, key: Any, timestamp: int) -> None:
        self._rows.pop(key, None)
        self._dirty[key] = timestamp

    def newest(self) -> int:
        """The largest timestamp of any row, -1 if there is none."""
        return max((row[1] for row in self._rows.values()), default=-1)

    def in_key_order(self) -> list[tuple[bytes, Any, Row]]:
        """All rows with their keys' bytes, in the order of these (rule P9)."""
        encode = self.key.encode
        return sorted(((encode(key), key, row) for key, row in self._rows.items()), key=lambda item: item[0])

    # --- changelog (rule F1)

    def take_changes(self) -> Changes:
        """The last value of each key changed since the last call; a deleted one as null."""
        encode_key, encode_value = self.key.encode, self.value.encode
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        timestamps: list[int] = []
        for key, timestamp in self._dirty.items():
            row = self._rows.get(key)
            keys.append(encode_key(key))
            values.append(None if row is None else encode_value(row[0]))
            timestamps.append(timestamp if row is None else row[1])
        self._dirty.clear()
        return Changes(timestamps, keys, values)

    def restore(self, batch: Batch) -> None:
        """Apply changelog records."""
        decode_key, decode_value, rows = self.key.decode, self.value.decode, self._rows
        for key, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if key is None:
                continue
            if value is None:
                rows.pop(decode_key(key), None)
            else:
                rows[decode_key(key)] = [decode_value(value), timestamp]
