"""When what is written must be on the disk itself: safe from the end of the machine, not of the process alone."""

from __future__ import annotations

import logging
import os
import re
import weakref
from dataclasses import dataclass
from pathlib import Path

from millstream.broker.log.blob import FileBlob, Written, nothing_more

_log = logging.getLogger(__name__)

_INTERVAL = re.compile(r"(\d+)(ms|s)")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOT_NOTE = "boot"


@dataclass(frozen=True, slots=True)
class Fsync:
    """`interval_ms` None: when the operating system likes; 0: before each acknowledgement; else that often.

    >>> Fsync.parse("os"), Fsync.parse("always"), Fsync.parse("500ms"), Fsync.parse("2s")
    (Fsync(interval_ms=None), Fsync(interval_ms=0), Fsync(interval_ms=500), Fsync(interval_ms=2000))
    """

    interval_ms: int | None = None

    @classmethod
    def parse(cls, written: str) -> Fsync:
        """Raises ValueError for what is neither `os`, `always` nor an interval."""
        if written == "os":
            return cls(None)
        if written == "always":
            return cls(0)
        found = _INTERVAL.fullmatch(written)
        if found is None or int(found[1]) == 0:
            raise ValueError(f"fsync is os, always, or an interval such as 500ms or 1s, not {written!r}")
        return cls(int(found[1]) * (1 if found[2] == "ms" else 1000))


class Durability:
    """Files learn from `written` what to do after each append; `unsynced` are those that an interval has to sync."""

    def __init__(self, fsync: Fsync) -> None:
        self.fsync = fsync
        self._unsynced: weakref.WeakSet[FileBlob] = weakref.WeakSet()

    @property
    def written(self) -> Written:
        if self.fsync.interval_ms is None:
            return nothing_more
        return FileBlob.sync if self.fsync.interval_ms == 0 else self._unsynced.add

    def take_handles(self) -> list[int]:
        """File descriptors of what was written since the last call, to be synced by `sync_handles`."""
        handles = []
        for blob in list(self._unsynced):
            try:
                handles.append(blob.handle())
            except OSError:
                continue  # deleted meanwhile
        self._unsynced.clear()
        return handles


def sync_handles(handles: list[int]) -> None:
    """Sync and close them; for a thread of its own, as a disk may take its time. What fails is told."""
    for handle in handles:
        try:
            os.fdatasync(handle)
        except OSError as error:
            _log.error("what was written cannot be synced to the disk: %s", error)
        finally:
            os.close(handle)


def same_boot(data: Path) -> bool:
    """Whether the folder was last used since the machine was started; notes that it is used now. Raises OSError.

    Where that cannot be told, it is taken for the first time.
    """
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        return False
    note = data / _BOOT_NOTE
    before = note.read_text().strip() if note.exists() else ""
    if before != boot:
        note.write_text(boot)
    return before == boot
