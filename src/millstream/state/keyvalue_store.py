"""Key-value stores as a processor sees them: Kafka Streams' `KeyValueStore`, plain or timestamped (rule P9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from millstream.serde import Serde
from millstream.state.access import UNRESTRICTED, Access, Timestamped
from millstream.state.disk import after_prefix
from millstream.state.keyvalue import Row

K = TypeVar("K")
V = TypeVar("V")


class KeyedRows(Protocol):
    """Rows that can be looked up by key: of a plain or of a versioned store."""

    name: str
    key: Serde[Any]

    def __len__(self) -> int: ...
    @property
    def get(self) -> Callable[[Any], Row | None]: ...
    def put(self, key: Any, value: Any, timestamp: int) -> object: ...
    def delete(self, key: Any, timestamp: int) -> object: ...
    def scan(
        self, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, Any, Row]]: ...


class KeyValueStore(Generic[K, V]):
    """A value for each key. Values are live objects: replace them with `put`, don't mutate them.

    A write has the timestamp of the record at hand, unless it is given one; it goes into the changelog with it.

    >>> from millstream.serde import INT64, STRING
    >>> from millstream.state import KeyValueRows
    >>> store = KeyValueStore(KeyValueRows("seen", STRING, INT64))
    >>> store.put("b", 2, timestamp=7); store.put_all({"a": 1, "c": 3}.items())
    >>> store.get("a"), store["b"], store.get("x"), store.timestamp("b"), store.get_with_timestamp("b")
    (1, 2, None, 7, Timestamped(value=2, timestamp=7))
    >>> list(store.range("a", "b")), list(store.all(reverse=True)), list(store.prefix("c"))
    ([('a', 1), ('b', 2)], [('c', 3), ('b', 2), ('a', 1)], [('c', 3)])
    >>> store.put_if_absent("a", 9), store.delete("c"), "c" in store, len(store), store.name
    (1, 3, False, 2, 'seen')
    """

    def __init__(self, rows: KeyedRows, access: Access = UNRESTRICTED) -> None:
        self._rows = rows
        self._access = access

    @property
    def name(self) -> str:
        """The name that the store was declared with."""
        return self._rows.name

    # --- one key

    def get(self, key: K) -> V | None:
        """The value of a key, None where there is none; `store[key]` raises KeyError then."""
        row = self._rows.get(key)
        return None if row is None else self._access.shown(row[0])

    def timestamp(self, key: K) -> int | None:
        """The timestamp kept with a key's value."""
        row = self._rows.get(key)
        return None if row is None else row[1]

    def get_with_timestamp(self, key: K) -> Timestamped | None:
        """The value of a key, and the timestamp kept with it; None where there is none."""
        row = self._rows.get(key)
        return None if row is None else Timestamped(self._access.shown(row[0]), row[1])

    def __getitem__(self, key: K) -> V:
        row = self._rows.get(key)
        if row is None:
            raise KeyError(key)
        value: V = self._access.shown(row[0])
        return value

    def __contains__(self, key: K) -> bool:
        return self._rows.get(key) is not None

    def put(self, key: K, value: V | None, *, timestamp: int | None = None) -> None:
        """Set the value of a key; None deletes it."""
        self._check(key)
        if value is None:
            self._rows.delete(key, self._access.time(timestamp))
        else:
            self._rows.put(key, value, self._access.time(timestamp))

    def put_if_absent(self, key: K, value: V | None, *, timestamp: int | None = None) -> V | None:
        """Set the value unless there is one; returns the one there was."""
        old = self.get(key)
        if old is None:
            self.put(key, value, timestamp=timestamp)
        return old

    def put_all(self, rows: Iterable[tuple[K, V | None]]) -> None:
        """Set the values of several keys."""
        for key, value in rows:
            self.put(key, value)

    def delete(self, key: K) -> V | None:
        """Delete a key; returns the value there was."""
        self._check(key)
        old = self.get(key)
        self._rows.delete(key, self._access.now())
        return old

    # --- many keys

    def __len__(self) -> int:
        """About how many keys there are."""
        return len(self._rows)

    def range(self, first: K | None = None, last: K | None = None, *, reverse: bool = False) -> Iterator[tuple[K, V]]:
        """Rows from `first` to `last`, both included, None being open, in the order of the keys' bytes (rule P9).

        They are as they were when the iteration began, whatever is put or deleted meanwhile.
        """
        encode = self._rows.key.encode
        low = b"" if first is None else encode(first)
        end = None if last is None else encode(last) + b"\0"
        for _, key, row in self._rows.scan(low, end, reverse=reverse):
            yield key, self._access.shown(row[0])

    def all(self, *, reverse: bool = False) -> Iterator[tuple[K, V]]:
        """Every row, in the order of the keys' bytes."""
        return self.range(reverse=reverse)

    def prefix(self, prefix: K | bytes) -> Iterator[tuple[K, V]]:
        """Rows whose key's bytes begin with these bytes, or with those of a key."""
        begin = prefix if isinstance(prefix, bytes) else self._rows.key.encode(prefix)
        for _, key, row in self._rows.scan(begin, after_prefix(begin)):
            yield key, self._access.shown(row[0])

    def _check(self, key: object) -> None:
        if key is None:
            raise ValueError(f"store {self.name!r}: a key must not be None")
