"""What a store asks of a disk: an ordered map of bytes for each store, and one atomic write for all of a task's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Records(Protocol):
    """Changelog records as columns: `Changes` on their way out, or a `Batch` that is read to restore."""

    @property
    def timestamps(self) -> Sequence[int]: ...
    @property
    def keys(self) -> Sequence[bytes | None]: ...
    @property
    def values(self) -> Sequence[bytes | None]: ...


class Disk(Protocol):
    """One store's rows on disk, in the order of their keys' bytes."""

    @property
    def get(self) -> Callable[[bytes], bytes | None]:
        """A key's value; None if there is none."""

    def scan(self, first: bytes, end: bytes | None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Rows from `first` up to, and without, `end` (None: to the last), as they were when the scan began."""

    def note(self) -> bytes | None:
        """What was last noted beside the rows."""

    def about(self) -> int:
        """About how many rows there are."""


class DiskBatch(Protocol):
    """Changes of one store, to be written together with those of the task's other stores. Later ones prevail."""

    def put(self, key: bytes, value: bytes) -> None: ...

    def delete(self, key: bytes) -> None: ...

    def delete_range(self, first: bytes, end: bytes) -> None:
        """Delete from `first` up to, and without, `end`: it costs the same for any number of rows."""

    def note(self, data: bytes) -> None:
        """A few bytes to know beside the rows, such as the newest time: `Disk.note` gives the last."""


class TaskBatch(Protocol):
    """Changes of a task's stores."""

    def store(self, name: str) -> DiskBatch: ...

    def offset(self, name: str, offset: int) -> None:
        """The changelog of a store is in it up to, and without, this offset."""

    def topic(self, name: str, topic_id: str) -> None:
        """The id of the topic that is the changelog of a store."""


class TaskDisk(Protocol):
    """A task's stores on disk."""

    @property
    def names(self) -> Collection[str]:
        """The stores that it has."""

    def store(self, name: str) -> Disk: ...

    def offsets(self) -> Mapping[str, int]:
        """By store, the offset in its changelog from which on it lacks the records."""

    def topics(self) -> Mapping[str, str]:
        """By store, the id of the topic that was its changelog."""

    def batch(self) -> TaskBatch: ...

    def write(self, batch: Any) -> None:
        """All of it or nothing, whatever kills the process."""

    def close(self) -> None: ...


def after_prefix(prefix: bytes) -> bytes | None:
    """The end of the keys that begin so; None: there is no key behind them.

    >>> after_prefix(b"ab"), after_prefix(b"a" + bytes([255])), after_prefix(bytes([255]))
    (b'ac', b'b', None)
    """
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def merged(
    base: Iterator[tuple[bytes, T]], over: Iterator[tuple[bytes, T]], *, reverse: bool = False
) -> Iterator[tuple[bytes, T]]:
    """Two ordered iterators as one; where both have a key, `over` prevails.

    >>> list(merged(iter([(b"a", 1), (b"c", 3)]), iter([(b"b", 2), (b"c", 4)])))
    [(b'a', 1), (b'b', 2), (b'c', 4)]
    """
    upper = next(over, None)
    for item in base:
        while upper is not None and (upper[0] > item[0] if reverse else upper[0] < item[0]):
            yield upper
            upper = next(over, None)
        if upper is not None and upper[0] == item[0]:
            yield upper
            upper = next(over, None)
        else:
            yield item
    if upper is not None:
        yield upper
        yield from over
