"""Transaction markers: the control batches that end a transaction in a partition's log.

One record each. Its key is a version and a type (0 abort, 1 commit), its value a version and the coordinator's epoch.
"""

from __future__ import annotations

import struct

from crc32c import crc32c

from millstream.broker.log.batch import CONTROL, HEADER, HEADER_SIZE, LEADER_EPOCH, TRANSACTIONAL, BatchHeader

_RECORD = bytes.fromhex("2000000008")
"""Length 16, no attributes, both deltas 0, key length 4."""
_KEY = struct.Struct(">hh")
_REST = bytes.fromhex("0c00000000000000")
"""Value length 6, version 0, coordinator epoch 0, no headers."""
_KEY_AT = HEADER_SIZE + len(_RECORD)
_ABORT, _COMMIT = 0, 1
_COVERED = struct.Struct(">hiqqqhii")
_LENGTH_WITHOUT_COVERED = 9


def marker(producer_id: int, epoch: int, now_ms: int, *, commit: bool) -> bytes:
    """The batch that commits or aborts the producer's transaction.

    >>> commits(memoryview(marker(7, 0, 1000, commit=True)))
    True
    """
    record = _RECORD + _KEY.pack(0, _COMMIT if commit else _ABORT) + _REST
    covered = _COVERED.pack(TRANSACTIONAL | CONTROL, 0, now_ms, now_ms, producer_id, epoch, -1, 1) + record
    head = struct.pack(">qiibI", 0, len(covered) + _LENGTH_WITHOUT_COVERED, LEADER_EPOCH, 2, crc32c(covered))
    return head + covered


def commits(batch: memoryview) -> bool:
    """Whether the marker commits (else it aborts)."""
    _, kind = _KEY.unpack_from(batch, _KEY_AT)
    return bool(kind == _COMMIT)


def marker_header(batch: bytes) -> BatchHeader:
    return BatchHeader._make(HEADER.unpack_from(batch))
