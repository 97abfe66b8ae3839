"""Local stores of simulated workers: kept in memory by their folder, so that they outlive the process that wrote them.

They stand in for RocksDB, whose databases take longer to open than a whole simulated minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from millstream.runtime import local_state
from tests.state.disks import MemoryBatch, MemoryTaskDisk


class Disks:
    def __init__(self) -> None:
        self.by_folder: dict[Path, MemoryTaskDisk] = {}

    def open(self, folder: Path, names: Sequence[str], _memory: Any) -> MemoryTaskDisk:
        if not folder.exists():  # never there, set aside, or wiped
            folder.mkdir(parents=True)
            self.by_folder[folder] = MemoryTaskDisk(names)
        return _Opened(self.by_folder[folder])


class _Opened(MemoryTaskDisk):
    """What one process has open; nothing is written any more when it has closed it."""

    def __init__(self, kept: MemoryTaskDisk) -> None:
        self.names, self.disks, self.at, self.ids = kept.names, kept.disks, kept.at, kept.ids
        self._closed = False

    def write(self, batch: MemoryBatch) -> None:
        assert not self._closed, "a closed store is written"
        super().write(batch)

    def close(self) -> None:
        self._closed = True


@contextmanager
def used_by_workers(disks: Disks) -> Iterator[None]:
    real = local_state.RocksTaskDisk
    local_state.RocksTaskDisk = disks.open  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        local_state.RocksTaskDisk = real  # type: ignore[misc]
