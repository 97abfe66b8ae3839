"""A table's own topic read back into its store, which has no other changelog (rule X7)."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.engine.stores import Rows
from millstream.model import Batch


def restore_reused(rows: Rows, batch: Batch) -> None:
    """Apply records as they were written, with their own timestamps.

    The topic is the user's, and holds what processing passed over: records without a valid timestamp (rule T3), or that
    cannot be decoded (rule X14). They are passed over again.
    """
    if batch.timestamps and min(batch.timestamps) < 0:
        batch = _picked(batch, [row for row, timestamp in enumerate(batch.timestamps) if timestamp >= 0])
    try:
        rows.restore(batch)
    except Exception:  # whatever a serde raises; to apply a record twice does no harm
        for row in range(len(batch)):
            try:
                rows.restore(_picked(batch, [row]))
            except Exception:
                continue


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
