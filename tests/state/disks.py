"""A disk in memory: the same contract as RocksDB's, for many small tests."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence


class MemoryDisk:
    """One store's rows."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.noted: bytes | None = None
        self.reads = 0

    @property
    def get(self) -> Callable[[bytes], bytes | None]:
        def read(key: bytes) -> bytes | None:
            self.reads += 1
            return self.rows.get(key)

        return read

    def scan(self, first: bytes, end: bytes | None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted(self.rows)
        within = keys[bisect_left(keys, first) : None if end is None else bisect_left(keys, end)]
        return iter([(key, self.rows[key]) for key in (reversed(within) if reverse else within)])

    def note(self, data: bytes | None = None) -> bytes | None:
        """Both sides of it: a disk's without data, a batch's with."""
        self.noted = data or self.noted
        return self.noted

    def about(self) -> int:
        return len(self.rows)

    # --- a batch that is written at once

    def put(self, key: bytes, value: bytes) -> None:
        self.rows[key] = value

    def delete(self, key: bytes) -> None:
        self.rows.pop(key, None)

    def delete_range(self, first: bytes, end: bytes) -> None:
        for key in [key for key in self.rows if first <= key < end]:
            del self.rows[key]


class MemoryTaskDisk:
    """A task's stores; a batch is held back until it is written. `names` may be reopened as often as wanted."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names: Sequence[str] = tuple(names)
        self.disks = {name: MemoryDisk() for name in names}
        self.at: dict[str, int] = {}
        self.ids: dict[str, str] = {}

    def store(self, name: str) -> MemoryDisk:
        return self.disks[name]

    def offsets(self) -> Mapping[str, int]:
        return dict(self.at)

    def topics(self) -> Mapping[str, str]:
        return dict(self.ids)

    def batch(self) -> MemoryBatch:
        return MemoryBatch()

    def write(self, batch: MemoryBatch) -> None:
        for name, operation, *given in batch.operations:
            if operation == "offset":
                self.at[name] = given[0]
            elif operation == "topic":
                self.ids[name] = given[0]
            elif operation == "note":
                self.disks[name].noted = given[0]
            else:
                getattr(self.disks[name], operation)(*given)

    def close(self) -> None: ...


class MemoryBatch:
    def __init__(self) -> None:
        self.operations: list[tuple] = []

    def store(self, name: str) -> StoreBatch:
        return StoreBatch(self.operations, name)

    def offset(self, name: str, offset: int) -> None:
        self.operations.append((name, "offset", offset))

    def topic(self, name: str, topic_id: str) -> None:
        self.operations.append((name, "topic", topic_id))


class StoreBatch:
    def __init__(self, operations: list[tuple], name: str) -> None:
        self._operations, self._name = operations, name

    def put(self, key: bytes, value: bytes) -> None:
        self._operations.append((self._name, "put", key, value))

    def delete(self, key: bytes) -> None:
        self._operations.append((self._name, "delete", key))

    def delete_range(self, first: bytes, end: bytes) -> None:
        self._operations.append((self._name, "delete_range", first, end))

    def note(self, data: bytes) -> None:
        self._operations.append((self._name, "note", data))
