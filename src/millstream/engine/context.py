"""What is only needed at times about the record at hand; one mutable object for each task, filled by its loop."""

from __future__ import annotations

from typing import TypeAlias

from millstream.engine.message import RecordMetadata
from millstream.engine.rows import LoadedRows
from millstream.model import Headers, TopicPartition

NOWHERE = TopicPartition("", -1)

Place: TypeAlias = tuple[LoadedRows | None, int]


def metadata_of(rows: LoadedRows | None, row: int) -> RecordMetadata:
    """Where a source record stood; nowhere in a punctuation (rule P1)."""
    if rows is None:
        return RecordMetadata(None, -1, -1)
    return RecordMetadata(rows.source.topic, rows.source.partition, rows.offsets[row])


class TaskContext:
    """The task's clocks, and where the record at hand came from.

    `rows` and `row` are the source record; `row` is kept only in sub-topologies that have processors. While a
    punctuation runs, `rows` is None (rule P1), as it is while updates are passed on that were held back. `latest` is
    false while an update of a versioned table is passed on that is not its key's latest version (rule K17).
    """

    __slots__ = (
        "commit_requested",
        "headers",
        "latest",
        "punctuating",
        "row",
        "rows",
        "stream_time",
        "timestamp",
        "wall_ms",
    )

    def __init__(self, wall_ms: int) -> None:
        self.rows: LoadedRows | None = None
        self.row = -1
        self.headers: Headers = ()
        self.latest = True
        self.punctuating = False
        self.timestamp = -1
        self.stream_time = -1
        self.wall_ms = wall_ms
        self.commit_requested = False

    def place(self) -> Place:
        """The source record at hand, and its row; (None, -1) where there is none."""
        if self.rows is None:
            return None, -1
        return self.rows, self.row if self.row >= 0 else self.rows.at_hand()
