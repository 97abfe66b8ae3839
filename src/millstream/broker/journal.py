"""A durable dictionary: the last value of each key, in an append-only file that is rewritten when it is mostly history.

Each record in the file is its length, its CRC32C and JSON: a list of `[key, value]` pairs, null for a key that is gone.
One `put` is one write, so its pairs are kept or lost together. On open a torn or damaged end is cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from crc32c import crc32c

from millstream.broker.log.blob import Blob, FileBlob, MemoryBlob, Written, nothing_more

_FRAME = struct.Struct(">II")
_SLACK_BYTES = 1 << 20


class Journal:
    """Last value by key; values are anything that JSON can hold, except null.

    >>> journal = Journal(None)
    >>> journal.put({"a": 1, "b": 2})
    >>> journal.put({"a": None})
    >>> dict(journal.items())
    {'b': 2}
    """

    def __init__(self, path: Path | None, written: Written = nothing_more) -> None:
        """Open the file, or keep everything in memory if `path` is None. Raises OSError."""
        self._path = path
        self._written = written
        self._blob: Blob = MemoryBlob() if path is None else FileBlob(path, written)
        self._values: dict[str, Any] = {}
        self._replay()
        self._live_bytes = self._blob.size

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> Any:
        """The value, or None."""
        return self._values.get(key)

    def items(self) -> Iterator[tuple[str, Any]]:
        return iter(self._values.items())

    def put(self, changes: Mapping[str, Any]) -> None:
        """Set (or, with None, remove) keys: durable when it returns. Raises OSError with nothing changed."""
        if not changes:
            return
        self._blob.append([_framed(list(changes.items()))])
        self._apply(changes.items())
        if self._blob.size > 2 * self._live_bytes + _SLACK_BYTES:
            self._rewrite()

    def close(self) -> None:
        self._blob.close()

    def _apply(self, pairs: Any) -> None:
        for key, value in pairs:
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def _replay(self) -> None:
        raw = memoryview(self._blob.read(0, self._blob.size))
        position = 0
        while position + _FRAME.size <= len(raw):
            size, checksum = _FRAME.unpack_from(raw, position)
            body = raw[position + _FRAME.size : position + _FRAME.size + size]
            if len(body) < size or crc32c(body) != checksum:
                break
            self._apply(msgspec.json.decode(body))
            position += _FRAME.size + size
        if position < len(raw):
            raw.release()
            self._blob.truncate(position)

    def _rewrite(self) -> None:
        frame = _framed(list(self._values.items()))
        if self._path is None:
            self._blob = MemoryBlob()
            self._blob.append([frame])
        else:
            fresh = self._path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            rewritten = FileBlob(fresh)
            rewritten.append([frame])
            rewritten.sync()
            rewritten.close()
            fresh.replace(self._path)
            self._blob.close()
            self._blob = FileBlob(self._path, self._written)
        self._live_bytes = self._blob.size


def _framed(pairs: list[tuple[str, Any]]) -> bytes:
    body = msgspec.json.encode(pairs)
    return _FRAME.pack(len(body), crc32c(body)) + body
