"""Key-value stores in memory: live objects, and a note of which keys the changelog does not have yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from millstream.model import Batch
from millstream.serde import Serde
from millstream.state.changes import Changes

K = TypeVar("K")
V = TypeVar("V")

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


class KeyedRows(Protocol):
    """Rows that can be looked up by key: of a plain or of a versioned store."""

    name: str
    key: Serde[Any]

    def __len__(self) -> int: ...
    @property
    def get(self) -> Callable[[Any], Row | None]: ...
    def put(self, key: Any, value: Any, timestamp: int) -> object: ...
    def delete(self, key: Any, timestamp: int) -> object: ...
    def in_key_order(self) -> list[tuple[bytes, Any, Row]]: ...


class KeyValueStore(Generic[K, V]):
    """A key-value store as a processor sees it. Values are live objects: replace them with `put`, don't mutate them.

    >>> from millstream.serde import INT64, STRING
    >>> store = KeyValueStore(KeyValueRows("seen", STRING, INT64))
    >>> store.put("b", 2); store.put("a", 1); store.put("c", 3)
    >>> store.get("a"), store["b"], store.get("x")
    (1, 2, None)
    >>> list(store.range("a", "b"))
    [('a', 1), ('b', 2)]
    """

    def __init__(self, rows: KeyedRows, now: Callable[[], int] = lambda: 0) -> None:
        self._rows = rows
        self._now = now  # the timestamp that goes into the changelog: the current record's

    @property
    def name(self) -> str:
        return self._rows.name

    def get(self, key: K) -> V | None:
        row = self._rows.get(key)
        return None if row is None else row[0]

    def timestamp(self, key: K) -> int | None:
        """The timestamp kept with a key's value."""
        row = self._rows.get(key)
        return None if row is None else row[1]

    def __getitem__(self, key: K) -> V:
        row = self._rows.get(key)
        if row is None:
            raise KeyError(key)
        value: V = row[0]
        return value

    def __contains__(self, key: K) -> bool:
        return self._rows.get(key) is not None

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, key: K, value: V | None) -> None:
        """Set the value of a key; None deletes it."""
        if key is None:
            raise ValueError(f"store {self.name!r}: a key must not be None")
        if value is None:
            self._rows.delete(key, self._now())
        else:
            self._rows.put(key, value, self._now())

    def put_if_absent(self, key: K, value: V) -> V | None:
        """Set the value unless there is one; returns the one there was."""
        old = self.get(key)
        if old is None:
            self.put(key, value)
        return old

    def delete(self, key: K) -> V | None:
        """Delete a key; returns the value there was."""
        if key is None:
            raise ValueError(f"store {self.name!r}: a key must not be None")
        old = self.get(key)
        self._rows.delete(key, self._now())
        return old

    def range(self, first: K | None = None, last: K | None = None, *, reverse: bool = False) -> Iterator[tuple[K, V]]:
        """Rows from `first` to `last`, both included, None being open, in the order of the keys' bytes (rule P9)."""
        encode = self._rows.key.encode
        low = None if first is None else encode(first)
        high = None if last is None else encode(last)
        rows = self._rows.in_key_order()
        for data, key, row in reversed(rows) if reverse else rows:
            if (low is None or low <= data) and (high is None or data <= high):
                yield key, row[0]

    def all(self, *, reverse: bool = False) -> Iterator[tuple[K, V]]:
        """Every row, in the order of the keys' bytes."""
        return self.range(reverse=reverse)

    def prefix(self, prefix: bytes) -> Iterator[tuple[K, V]]:
        """Rows whose key's bytes begin so."""
        for data, key, row in self._rows.in_key_order():
            if data.startswith(prefix):
                yield key, row[0]
