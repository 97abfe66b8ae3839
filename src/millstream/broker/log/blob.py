"""Where a segment's bytes live: a file, or memory; and the folder that holds the segments of one partition."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

_SUFFIX = ".log"
_DRAFT = ".draft"
_DAMAGED = ".damaged"


class Blob(Protocol):
    """Bytes that grow at the end. A file's are safe from the end of the process as soon as `append` returns."""

    @property
    def size(self) -> int: ...

    @property
    def modified_ms(self) -> int: ...

    def append(self, parts: Sequence[bytes | memoryview]) -> None: ...

    def read(self, position: int, size: int) -> bytes: ...

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None: ...

    def close(self) -> None: ...


class Folder(Protocol):
    """The segments of one partition, each named by its base offset."""

    def bases(self) -> list[int]: ...

    def open(self, base_offset: int) -> Blob: ...

    def draft(self, base_offset: int) -> Blob: ...

    def adopt(self, base_offset: int, draft: Blob) -> None: ...

    def remove(self, base_offset: int) -> None: ...

    def set_aside(self, base_offset: int) -> None: ...

    def note(self, name: str) -> bytes | None: ...

    def put_note(self, name: str, data: bytes) -> None: ...

    def drop_notes(self, pattern: str, *, but: Container[str] = ()) -> None: ...

    def destroy(self) -> None: ...


Written: TypeAlias = Callable[["FileBlob"], None]
"""Told of each append before it counts."""


def nothing_more(_blob: FileBlob) -> None:
    """The operating system writes in its own time."""


class FileBlob:
    """A file. A failed append leaves no trace of itself; what `written` raises fails the append, too."""

    def __init__(self, path: Path, written: Written = nothing_more) -> None:
        self._written = written
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        status = os.fstat(self._fd)
        self.size = status.st_size
        self.modified_ms = status.st_mtime_ns // 1_000_000
        """Time of day of the last write before it was opened."""

    def append(self, parts: Sequence[bytes | memoryview]) -> None:
        """Write the parts one after another. Raises OSError (disk full, ...) with the file as it was before."""
        expected = sum(map(len, parts))
        try:
            written = os.pwritev(self._fd, parts, self.size)
            if written < expected:
                rest = b"".join(parts)
                while written < expected:
                    written += os.pwrite(self._fd, memoryview(rest)[written:], self.size + written)
            self._written(self)
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += expected

    def read(self, position: int, size: int) -> bytes:
        return os.pread(self._fd, size, position)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)
        self.size = size

    def sync(self) -> None:
        """Make what was written safe from the end of the machine, too. Raises OSError."""
        os.fdatasync(self._fd)

    def handle(self) -> int:
        """A file descriptor of its own for the same file; whoever asks closes it."""
        return os.dup(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class FileFolder:
    """A folder of files named as Kafka names its segments: twenty digits of base offset, then `.log`."""

    def __init__(self, path: Path, written: Written = nothing_more) -> None:
        self._path = path
        self._written = written
        path.mkdir(parents=True, exist_ok=True)
        for draft in path.glob(f"*{_DRAFT}"):
            draft.unlink()

    def bases(self) -> list[int]:
        return sorted(int(file.stem) for file in self._path.glob(f"*{_SUFFIX}") if file.stem.isdigit())

    def open(self, base_offset: int) -> FileBlob:
        path = self._file(base_offset)
        made = not path.exists()
        blob = FileBlob(path, self._written)
        if made and self._written is not nothing_more:
            self._sync_names()
        return blob

    def _sync_names(self) -> None:
        """Make the folder's list of files safe from the end of the machine."""
        fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def draft(self, base_offset: int) -> FileBlob:
        """An empty file that may take the place of a segment (`adopt`); left alone, it is gone with the next start."""
        path = self._file(base_offset).with_suffix(_DRAFT)
        path.unlink(missing_ok=True)
        return FileBlob(path)

    def adopt(self, base_offset: int, draft: Blob) -> None:
        """Put the draft in the segment's place, at once or not at all. Raises OSError."""
        draft.sync()
        self._file(base_offset).with_suffix(_DRAFT).replace(self._file(base_offset))

    def remove(self, base_offset: int) -> None:
        self._file(base_offset).unlink(missing_ok=True)

    def set_aside(self, base_offset: int) -> None:
        """Take a segment's file out of the log without deleting it."""
        path = self._file(base_offset)
        path.replace(path.with_suffix(_DAMAGED))

    def note(self, name: str) -> bytes | None:
        """What was noted under a name, or None."""
        try:
            return (self._path / name).read_bytes()
        except OSError:
            return None

    def put_note(self, name: str, data: bytes) -> None:
        """Note something, at once or not at all. Raises OSError."""
        draft = self._path / f"{name}{_DRAFT}"
        draft.write_bytes(data)
        draft.replace(self._path / name)

    def drop_notes(self, pattern: str, *, but: Container[str] = ()) -> None:
        """Remove the notes whose names fit the pattern, except some."""
        for path in self._path.glob(pattern):
            if path.name not in but:
                path.unlink(missing_ok=True)

    def destroy(self) -> None:
        """Remove the partition's files; a crash in the middle leaves a folder that no topic owns, removed on start."""
        shutil.rmtree(self._path, ignore_errors=True)

    def _file(self, base_offset: int) -> Path:
        return self._path / f"{base_offset:020d}{_SUFFIX}"


class MemoryBlob:
    """The same, for as long as the process lives."""

    modified_ms = -1

    def __init__(self) -> None:
        self._bytes = bytearray()

    @property
    def size(self) -> int:
        return len(self._bytes)

    def append(self, parts: Sequence[bytes | memoryview]) -> None:
        for part in parts:
            self._bytes += part

    def read(self, position: int, size: int) -> bytes:
        return bytes(memoryview(self._bytes)[position : position + size])

    def truncate(self, size: int) -> None:
        del self._bytes[size:]

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


class MemoryFolder:
    def __init__(self) -> None:
        self._blobs: dict[int, MemoryBlob] = {}

    def bases(self) -> list[int]:
        return sorted(self._blobs)

    def open(self, base_offset: int) -> MemoryBlob:
        return self._blobs.setdefault(base_offset, MemoryBlob())

    def draft(self, base_offset: int) -> MemoryBlob:
        return MemoryBlob()

    def adopt(self, base_offset: int, draft: Blob) -> None:
        assert isinstance(draft, MemoryBlob)
        self._blobs[base_offset] = draft

    def remove(self, base_offset: int) -> None:
        self._blobs.pop(base_offset, None)

    def set_aside(self, base_offset: int) -> None:
        self.remove(base_offset)

    def note(self, name: str) -> bytes | None:
        """Memory is never read again at a start."""

    def put_note(self, name: str, data: bytes) -> None:
        pass

    def drop_notes(self, pattern: str, *, but: Container[str] = ()) -> None:
        pass

    def destroy(self) -> None:
        self._blobs.clear()
