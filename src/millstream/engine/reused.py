"""A table's own topic read back into its store, which has no other changelog (rule X7)."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.engine.stores import Rows
from millstream.errors import RegistryError
from millstream.model import Batch
from millstream.state import KeyValueRows, VersionedRows


def restore_reused(rows: Rows, batch: Batch) -> None:
    """Apply records as they were written, with their own timestamps.

    The topic is the user's, and holds what processing passed over: records without a valid timestamp (rule T3), or that
    cannot be decoded (rule X14). They are passed over again.
    """
    batch = _timed(batch)
    try:
        rows.restore(batch)
    except RegistryError:
        raise
    except Exception:  # whatever a serde raises; to apply a record twice does no harm
        for row in range(len(batch)):
            try:
                rows.restore(_picked(batch, [row]))
            except RegistryError:
                raise
            except Exception:
                continue


def readable(rows: Rows, batch: Batch) -> Batch:
    """The records of such a topic that processing did not pass over, for a store that keeps them as bytes."""
    assert isinstance(rows, KeyValueRows | VersionedRows)  # a table's
    batch = _timed(batch)
    return _picked(batch, [row for row in range(len(batch)) if _can_read(rows, batch.keys[row], batch.values[row])])


def _can_read(rows: KeyValueRows | VersionedRows, key: bytes | None, value: bytes | None) -> bool:
    try:
        if key is not None:
            rows.key.decode(key)
        if value is not None:
            rows.value.decode(value)
    except RegistryError:
        raise
    except Exception:  # whatever a serde raises
        return False
    return True


def _timed(batch: Batch) -> Batch:
    if not batch.timestamps or min(batch.timestamps) >= 0:
        return batch
    return _picked(batch, [row for row, timestamp in enumerate(batch.timestamps) if timestamp >= 0])


def _picked(batch: Batch, rows: Sequence[int]) -> Batch:
    return Batch(
        batch.source,
        [batch.offsets[row] for row in rows],
        [batch.timestamps[row] for row in rows],
        [batch.keys[row] for row in rows],
        [batch.values[row] for row in rows],
        None,
        batch.next_offset,
    )
