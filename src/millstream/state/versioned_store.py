"""Versioned stores as a processor sees them: Kafka Streams' `VersionedKeyValueStore` (rules P9, K15, K16)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from millstream.serde import Serde
from millstream.state.access import UNRESTRICTED, Access, Timestamped
from millstream.state.keyvalue import Row

K = TypeVar("K")
V = TypeVar("V")


class Version(NamedTuple):
    """A value, since when it holds, and until when: the moment of the next version, None while there is none.

    >>> Version("old price", 60, 80)
    Version(value='old price', timestamp=60, valid_to=80)
    """

    value: Any
    timestamp: int
    valid_to: int | None


class ManyVersionedRows(Protocol):
    """Rows of which older versions are known too."""

    name: str
    key: Serde[Any]

    def get(self, key: Any) -> Row | None: ...
    def at(self, key: Any, timestamp: int) -> Row | None: ...
    def versions(self, key: Any) -> Sequence[tuple[int, Any]]: ...
    def put(self, key: Any, value: Any, timestamp: int) -> bool | None: ...


class VersionedStore(Generic[K, V]):
    """The value of each key, and what it was before. A version holds from its timestamp until the next one's.

    What is older than the history, counted back from the newest timestamp ever put, is not stored, and not known.

    >>> from millstream.serde import STRING
    >>> from millstream.state import VersionedRows
    >>> store = VersionedStore(VersionedRows("prices", (STRING, STRING), history_ms=50))
    >>> store.put("a", "new", 100), store.put("a", "old", 60), store.put("a", "too old", 49)
    (True, True, False)
    >>> store.name, store.get("a"), store.get("a", as_of=70)
    ('prices', Timestamped(value='new', timestamp=100), Timestamped(value='old', timestamp=60))
    >>> store.delete("a", 80), list(store.history("a", 0, 90))
    (Timestamped(value='old', timestamp=60), [Version(value='old', timestamp=60, valid_to=80)])
    """

    def __init__(self, rows: ManyVersionedRows, access: Access = UNRESTRICTED) -> None:
        self._rows = rows
        self._access = access

    @property
    def name(self) -> str:
        """The name that the store was declared with."""
        return self._rows.name

    def get(self, key: K, *, as_of: int | None = None) -> Timestamped | None:
        """The latest version, or the one that held at a moment."""
        row = self._rows.get(key) if as_of is None else self._rows.at(key, as_of)
        return None if row is None else Timestamped(self._access.shown(row[0]), row[1])

    def put(self, key: K, value: V | None, timestamp: int) -> bool:
        """Store a version; None says that from then on there is no value. False: older than the history, not stored."""
        if key is None:
            raise ValueError(f"store {self.name!r}: a key must not be None")
        if timestamp < 0:
            raise ValueError(f"store {self.name!r}: a timestamp must not be negative, got {timestamp}")
        self._access.now()
        return self._rows.put(key, value, timestamp) is not None

    def delete(self, key: K, timestamp: int) -> Timestamped | None:
        """From a moment on there is no value; returns what held at it."""
        old = self.get(key, as_of=timestamp)
        self.put(key, None, timestamp)
        return old

    def history(
        self, key: K, first: int | None = None, last: int | None = None, *, reverse: bool = False
    ) -> Iterator[Version]:
        """The versions that held at some moment from `first` to `last`, both included, the earliest first."""
        known = self._rows.versions(key)
        ends: list[int | None] = [*(timestamp for timestamp, _ in known[1:]), None]
        spans = list(zip(known, ends, strict=True)) if known else []
        for (timestamp, value), end in reversed(spans) if reverse else spans:
            begun = last is None or timestamp <= last
            if begun and (first is None or end is None or end > first) and value is not None:
                yield Version(self._access.shown(value), timestamp, end)
