"""Window stores as a processor sees them: Kafka Streams' `WindowStore`, plain or timestamped (rules P9, W20)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar, overload

from millstream.serde import Serde, Windowed
from millstream.state.access import UNRESTRICTED, Access, Timestamped
from millstream.state.keyvalue import Row

K = TypeVar("K")
V = TypeVar("V")

_NO_SPAN: Any = object()


class WindowedRows(Protocol):
    """Rows of windows by key and start; `by_key` tells whether a key's windows are found without looking at others."""

    name: str
    key: Serde[Any]

    def __len__(self) -> int: ...
    @property
    def by_key(self) -> bool: ...
    def find(self, key: Any, start: int) -> Row | None: ...
    def starts(self) -> list[int]: ...
    def starts_of(self, key: Any, first: int, last: int) -> list[int]: ...
    def in_key_order(self, start: int) -> Iterator[tuple[bytes, Any, Row]]: ...
    def put(self, key: Any, start: int, value: Any, timestamp: int) -> object: ...


class WindowStore(Generic[K, V]):
    """A value for each key and window. A window is known by its start, in ms; all of them are equally long.

    Windows that start `retention` or more before the newest start are forgotten, and what is put there is lost. Moments
    are bounds that are included; None is open.

    >>> from millstream.serde import INT64, STRING
    >>> from millstream.state import WindowRows
    >>> store = WindowStore(WindowRows("seen", (STRING, INT64), size_ms=10, retention_ms=50, by_key=True))
    >>> store.put("a", 1, 0); store.put("a", 2, 20, timestamp=25); store.put("b", 3, 20)
    >>> store.name, store.fetch("a", 20), list(store.fetch("a", 0, 30)), store.fetch_with_timestamp("a", 20)
    ('seen', 2, [(0, 1), (20, 2)], Timestamped(value=2, timestamp=25))
    >>> list(store.fetch_all(10, None)), list(store.fetch_range("b", "c")), next(store.all())
    ([(a@20/30, 2), (b@20/30, 3)], [(b@20/30, 3)], (a@0/10, 1))
    """

    def __init__(self, rows: WindowedRows, access: Access = UNRESTRICTED) -> None:
        self._rows = rows
        self._access = access

    @property
    def name(self) -> str:
        """The name that the store was declared with."""
        return self._rows.name

    # --- one key

    def put(self, key: K, value: V | None, window_start: int, *, timestamp: int | None = None) -> None:
        """Set the value of a key's window; None deletes it."""
        if key is None:
            raise ValueError(f"store {self.name!r}: a key must not be None")
        if window_start < 0:
            raise ValueError(f"store {self.name!r}: a window starts at 0 or later, got {window_start}")
        self._rows.put(key, window_start, value, self._access.time(timestamp))

    @overload
    def fetch(self, key: K, first: int) -> V | None: ...
    @overload
    def fetch(
        self, key: K, first: int | None, last: int | None, *, reverse: bool = False
    ) -> Iterator[tuple[int, V]]: ...
    def fetch(self, key: K, first: int | None, last: int | None = _NO_SPAN, *, reverse: bool = False) -> Any:
        """The value of the window that starts at `first`, or, with `last`, the key's windows that start in between.

        These are pairs of (start, value), the earliest first.
        """
        if last is _NO_SPAN:
            row = None if first is None else self._rows.find(key, first)
            return None if row is None else self._access.shown(row[0])
        return self._windows(key, first, last, reverse=reverse)

    def fetch_with_timestamp(self, key: K, start: int) -> Timestamped | None:
        """The value of one window, and the timestamp kept with it."""
        row = self._rows.find(key, start)
        return None if row is None else Timestamped(self._access.shown(row[0]), row[1])

    # --- many keys

    def __len__(self) -> int:
        """About how many windows there are."""
        return len(self._rows)

    def fetch_range(
        self,
        first_key: K | None,
        last_key: K | None,
        first: int | None = None,
        last: int | None = None,
        *,
        reverse: bool = False,
    ) -> Iterator[tuple[Windowed[K], V]]:
        """Windows of the keys from `first_key` to `last_key`, by the order of their bytes, that start in between.

        They come by start, those of one start by key.
        """
        encode = self._rows.key.encode
        low = None if first_key is None else encode(first_key)
        high = None if last_key is None else encode(last_key)
        starts = [start for start in self._rows.starts() if _within(start, first, last)]
        for start in reversed(starts) if reverse else starts:
            rows = self._rows.in_key_order(start)
            for data, _, row in reversed(list(rows)) if reverse else rows:
                if (low is None or low <= data) and (high is None or data <= high):
                    yield Windowed(row[2], row[3]), self._access.shown(row[0])

    def fetch_all(
        self, first: int | None, last: int | None, *, reverse: bool = False
    ) -> Iterator[tuple[Windowed[K], V]]:
        """Windows of every key that start in between."""
        return self.fetch_range(None, None, first, last, reverse=reverse)

    def all(self, *, reverse: bool = False) -> Iterator[tuple[Windowed[K], V]]:
        """Every window of every key."""
        return self.fetch_range(None, None, reverse=reverse)

    def _windows(self, key: K, first: int | None, last: int | None, *, reverse: bool) -> Iterator[tuple[int, V]]:
        if self._rows.by_key:
            starts = self._rows.starts_of(key, 0 if first is None else first, 2**63 - 1 if last is None else last)
        else:
            starts = [start for start in self._rows.starts() if _within(start, first, last)]
        for start in reversed(starts) if reverse else starts:
            row = self._rows.find(key, start)
            if row is not None:
                yield start, self._access.shown(row[0])


def _within(moment: int, first: int | None, last: int | None) -> bool:
    return (first is None or first <= moment) and (last is None or moment <= last)
