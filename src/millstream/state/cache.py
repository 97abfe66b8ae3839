"""Live rows over those on disk, within a bound of memory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Generic, Protocol, TypeVar

K = TypeVar("K")
R = TypeVar("R")

# What a row takes beside its encoded bytes: its objects' headers and its places in dictionaries. Measured with short
# strings as keys and integers as values, where it matters most.
ROW_BYTES = 300
_ABSENT: Any = object()


class RowCache(dict[K, R | None], Generic[K, R]):
    """Rows by key. `cache[key]` finds the row, or None where there is none: known rows at the speed of a dictionary,
    others by `load`, which gives a row and the size of its encoded form. `get` and `in` ask for known ones alone.

    There are two generations. `evict` forgets the older one and makes the younger the older; a row that is asked for
    comes back into the younger one. So what is in use stays, and nothing is done for it at each use.

    >>> cache = RowCache(lambda key: (key.upper(), 2 * len(key)))
    >>> cache["ab"], cache.get("cd"), len(cache)
    ('AB', None, 1)
    """

    def __init__(self, load: Callable[[K], tuple[R | None, int]]) -> None:
        super().__init__()
        self._load = load
        self._sizes: dict[K, int] = {}
        self._sum = 0
        self._older: dict[K, R | None] = {}
        self._older_sizes: dict[K, int] = {}
        self._older_sum = 0

    def __missing__(self, key: K) -> R | None:
        row = self._older.pop(key, _ABSENT)
        if row is _ABSENT:
            row, size = self._load(key)
        else:
            size = self._older_sizes.pop(key, 0)
            self._older_sum -= size
        self[key] = row
        self._sizes[key] = size
        self._sum += size
        return row

    def sized(self, key: K, size: int) -> None:
        """The size of a row's encoded form, as it was just written."""
        self._sum += size - self._sizes.get(key, 0)
        self._sizes[key] = size

    def drop(self, keys: Collection[K]) -> None:
        """Forget these rows."""
        for key in keys:
            if self.pop(key, _ABSENT) is not _ABSENT:
                self._sum -= self._sizes.pop(key, 0)

    @property
    def bytes(self) -> int:
        """About what all rows take in memory. A row that was not encoded yet counts as the average one does."""
        known = len(self._sizes)
        unknown = (len(self) - known) * (self._sum // known if known else 0)
        return self._sum + unknown + self._older_sum + (len(self) + len(self._older)) * ROW_BYTES

    def share(self, rows: int) -> int:
        """About what so many of the rows take."""
        return rows * (ROW_BYTES + (self._sum // len(self._sizes) if self._sizes else 0))

    def evict(self, keep: Collection[K]) -> None:
        """Forget the older generation, and make the younger one older, but for the keys in `keep`."""
        self._older = dict(self)
        self._older_sizes, self._older_sum = self._sizes, self._sum
        self._sizes, self._sum = {}, 0
        self.clear()
        for key in keep:
            row = self._older.pop(key, _ABSENT)
            if row is not _ABSENT:
                self[key] = row
                if key in self._older_sizes:
                    size = self._older_sizes.pop(key)
                    self._older_sum -= size
                    self.sized(key, size)


class Cached(Protocol):
    """A store with a cache, as the budget sees it."""

    @property
    def cached_bytes(self) -> int:
        """About what its live rows take in memory."""

    @property
    def dirty_bytes(self) -> int:
        """About what those of them take that are not on disk yet."""

    def evict(self) -> None:
        """Forget clean rows that were not used lately; called twice, all clean ones."""


class CacheBudget:
    """The memory that the live rows of one worker's stores on disk may take together.

    `relieve` is called between rounds, when no node holds a row. Rows that are not on disk yet are never forgotten:
    when they alone are too many, a commit is `wanted`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stores: list[Cached] = []
        self.wanted = False

    def add(self, store: Cached) -> None:
        self._stores.append(store)

    def remove(self, store: Cached) -> None:
        self._stores.remove(store)

    @property
    def bytes(self) -> int:
        """About what the live rows of all stores take in memory."""
        return sum(store.cached_bytes for store in self._stores)

    def relieve(self) -> None:
        """Evict from the largest stores until all are within the limit; see whether a commit is wanted."""
        over = self.bytes - self._limit
        self.wanted = False
        if over > 0:
            self._evict(over)
            self.wanted = 2 * sum(store.dirty_bytes for store in self._stores) > self._limit

    def _evict(self, over: int) -> None:
        for _generation in range(2):
            for store in sorted(self._stores, key=lambda store: store.cached_bytes, reverse=True):
                before = store.cached_bytes
                store.evict()
                over -= before - store.cached_bytes
                if over <= 0:
                    return
