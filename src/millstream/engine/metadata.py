"""What is committed with an offset: the partition's time, and how far on-close windows were emitted (rule F15)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping

_HEAD = struct.Struct(">bq")
_COUNT = struct.Struct(">i")
_TIME = struct.Struct(">q")


def written_metadata(partition_time: int, close_times: Mapping[str, int]) -> str:
    """Base64 of version 2, the partition's time and, if there are any, the last close time of each store.

    >>> read_metadata(written_metadata(140, {"w": 100}))
    (140, {'w': 100})
    """
    parts = [_HEAD.pack(2, partition_time)]
    if close_times:
        parts.append(_COUNT.pack(len(close_times)))
        for store, time in close_times.items():
            name = store.encode()
            parts += [_COUNT.pack(len(name)), name, _TIME.pack(time)]
    return base64.b64encode(b"".join(parts)).decode()


def read_metadata(text: str) -> tuple[int, dict[str, int]]:
    """The partition's time, -1 where none can be read, and the close times by store. Version 1 has none of these.

    >>> read_metadata("")
    (-1, {})
    """
    try:
        data = base64.b64decode(text)
        version, time = _HEAD.unpack_from(data)
        if version not in (1, 2):
            return -1, {}
        return time, _close_times(data) if version == 2 and len(data) > _HEAD.size else {}
    except (ValueError, struct.error):
        return -1, {}


def _close_times(data: bytes) -> dict[str, int]:
    times: dict[str, int] = {}
    (count,) = _COUNT.unpack_from(data, _HEAD.size)
    at = _HEAD.size + _COUNT.size
    for _ in range(count):
        (length,) = _COUNT.unpack_from(data, at)
        at += _COUNT.size
        name = data[at : at + length].decode()
        (times[name],) = _TIME.unpack_from(data, at + length)
        at += length + _TIME.size
    return times
