"""A task's stores in RocksDB: a column family for each, and one for the offsets of their changelogs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from struct import Struct
from typing import Any
from weakref import WeakSet

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
)

from millstream.errors import StateError
from millstream.state.disk import DiskBatch

_OFFSET = Struct(">q")
_DEFAULT = "default"  # the column family that every RocksDB has: ours for offsets and notes
_PREFIX = "store:"  # so that no store's name is that one
_OFFSETS, _NOTES, _TOPICS = b"offset:", b"note:", b"topic:"
_LOG_FILES, _LOG_BYTES = 2, 1_000_000
_WAL_BYTES = 64_000_000
_ARENA_BYTES = 65_536  # each family takes at least this of the shared buffers; the default is 1 MB

Scan = Generator[tuple[bytes, bytes], None, None]


class RocksMemory:
    """What the databases of one worker share, so that memory doesn't grow with their number: blocks read, and rows
    that are not in files yet.
    """

    def __init__(self, size: int = 80_000_000) -> None:
        self._buffer_bytes = size // 2
        self._blocks = Cache(size - self._buffer_bytes)
        self._buffers = WriteBufferManager(self._buffer_bytes, False)  # a full one is written out; nobody waits for it

    def options(self) -> Options:
        """For many point look-ups and bulk writes.

        Filters and indexes are cut into small parts: whole ones don't fit into the shards of a bounded cache, and were
        read again for each look-up (200 us instead of 5).
        """
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._blocks)
        blocks.set_bloom_filter(10, False)
        blocks.set_format_version(5)
        blocks.set_index_type(BlockBasedIndexType.two_level_index_search())
        blocks.set_partition_filters(True)
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_pin_top_level_index_and_filter(True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.create_missing_column_families(True)
        options.set_arena_block_size(_ARENA_BYTES)
        options.set_atomic_flush(True)
        options.set_block_based_table_factory(blocks)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_keep_log_file_num(_LOG_FILES)
        options.set_max_background_jobs(2)
        options.set_max_log_file_size(_LOG_BYTES)
        options.set_max_open_files(256)
        options.set_max_total_wal_size(_WAL_BYTES)
        options.set_write_buffer_manager(self._buffers)
        options.set_write_buffer_size(self._buffer_bytes // 3)
        return options


class RocksDisk:
    """One store's column family."""

    def __init__(self, family: Rdict, note: Callable[[], bytes | None]) -> None:
        self._family = family
        self._scans: WeakSet[Scan] = WeakSet()
        self.get: Callable[[bytes], bytes | None] = family.get
        self.note = note

    def scan(self, first: bytes, end: bytes | None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        bounds = ReadOptions()
        if end is not None:
            bounds.set_iterate_upper_bound(end)
        # there is a lower bound too, but rocksdict 0.3.29 takes it for the upper one
        items: Iterator[Any] = self._family.items(
            backwards=reverse, from_key=None if reverse else first, read_opt=bounds
        )
        scan = _until(items, bounds, first) if reverse else _all(items, bounds)
        self._scans.add(scan)
        return scan

    def about(self) -> int:
        return self._family.property_int_value("rocksdb.estimate-num-keys") or 0

    def close(self) -> None:
        """The database stays open as long as there is an iterator."""
        for scan in list(self._scans):
            scan.close()
        self._family.close()


class RocksBatch:
    """One write of a task's stores."""

    def __init__(self, families: Mapping[str, Any]) -> None:
        self._families = families
        self.operations = WriteBatch(raw_mode=True)

    def store(self, name: str) -> DiskBatch:
        return _StoreBatch(self.operations, self._families[name], name)

    def offset(self, name: str, offset: int) -> None:
        self.operations.put(_OFFSETS + name.encode(), _OFFSET.pack(offset))

    def topic(self, name: str, topic_id: str) -> None:
        self.operations.put(_TOPICS + name.encode(), topic_id.encode())


class _StoreBatch:
    def __init__(self, operations: WriteBatch, family: Any, name: str) -> None:
        self._put, self._delete, self._delete_range = operations.put, operations.delete, operations.delete_range
        self._family = family
        self._name = name

    def put(self, key: bytes, value: bytes) -> None:
        self._put(key, value, self._family)

    def delete(self, key: bytes) -> None:
        self._delete(key, self._family)

    def delete_range(self, first: bytes, end: bytes) -> None:
        self._delete_range(first, end, self._family)

    def note(self, data: bytes) -> None:
        self._put(_NOTES + self._name.encode(), data)


class RocksTaskDisk:
    """A task's database. The write-ahead log is written, not synced: it outlives the process, as the changelog outlives
    the machine.
    """

    def __init__(self, folder: Path, stores: Sequence[str], memory: RocksMemory) -> None:
        self._folder = folder
        self.names = tuple(stores)
        self._database = _opened(folder, self.names, memory)
        self._disks: dict[str, RocksDisk] = {}
        self._families: dict[str, Any] = {}
        for name in stores:
            family = self._database.get_column_family(_PREFIX + name)
            self._disks[name] = RocksDisk(family, partial(self._database.get, _NOTES + name.encode()))
            self._families[name] = self._database.get_column_family_handle(_PREFIX + name)

    def store(self, name: str) -> RocksDisk:
        return self._disks[name]

    def offsets(self) -> Mapping[str, int]:
        found = {name: self._database.get(_OFFSETS + name.encode()) for name in self.names}
        return {name: _OFFSET.unpack(data)[0] for name, data in found.items() if data is not None}

    def topics(self) -> Mapping[str, str]:
        found = {name: self._database.get(_TOPICS + name.encode()) for name in self.names}
        return {name: data.decode() for name, data in found.items() if data is not None}

    def batch(self) -> RocksBatch:
        return RocksBatch(self._families)

    def write(self, batch: RocksBatch) -> None:
        try:
            self._database.write(batch.operations)
        except Exception as error:  # rocksdict raises nothing more special
            raise StateError(f"{self._folder} could not be written: {error}; is the disk full?") from error

    def close(self) -> None:
        """The database closes when the last that refers to it is gone."""
        for disk in self._disks.values():
            disk.close()
        self._disks.clear()
        self._families.clear()
        self._database.close()


def _opened(folder: Path, stores: Sequence[str], memory: RocksMemory) -> Rdict:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        there = Rdict.list_cf(str(folder)) if (folder / "CURRENT").exists() else []
        names = dict.fromkeys([*there, _DEFAULT, *(_PREFIX + name for name in stores)])
        return Rdict(str(folder), memory.options(), {name: memory.options() for name in names})
    except Exception as error:  # rocksdict raises nothing more special
        raise StateError(f"{folder} cannot be opened: {error}") from error


# Generators, because they can be closed, which rocksdict's iterators can't. The bounds are held as long as the iterator
# lives: it reads them from that object's memory, and would end anywhere.


def _all(items: Iterator[Any], _bounds: ReadOptions) -> Scan:
    yield from items


def _until(items: Iterator[Any], _bounds: ReadOptions, last: bytes) -> Scan:
    for item in items:
        if item[0] < last:
            return
        yield item
