"""One standby copy: a task that is compiled and kept up to date, and doesn't run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from millstream.model import Batch, TopicPartition
from millstream.runtime.held import HeldTask


@dataclass(slots=True)
class Standby:
    """The copy of one task. As a reader it takes its changelogs, again and again.

    `held` is what the worker goes on with when the group gives it the task; `rank` says whether it is the first that
    would be given it, or the second and so on, from 0.
    """

    held: HeldTask
    rank: int
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    rows: int = 0
    renew_at: int | None = None  # rows

    def take(self, batch: Batch) -> None:
        self.held.task.restore(batch.source, batch)
        self.positions[batch.source] = batch.next_offset
        self.rows += len(batch)

    def ended(self, source: TopicPartition, offset: int) -> None:
        self.positions[source] = max(self.positions[source], offset)

    def lag(self, ends: Mapping[TopicPartition, int | None]) -> int | None:
        """Records of its changelogs that it lacks; None while the end of one is unknown."""
        behind = [None if end is None else max(0, end - self.positions[source]) for source, end in ends.items()]
        return None if None in behind else sum(each or 0 for each in behind)

    @property
    def outgrown(self) -> bool:
        """Whether it may have much that its owner has forgotten."""
        return self.renew_at is not None and self.rows >= self.renew_at

    def taken_over(self) -> HeldTask:
        """What goes on as the task itself, from here."""
        self.held.warm = dict(self.positions)
        return self.held

    def close(self) -> None:
        """The files stay as they are."""
        try:
            if self.held.compiled is not None:
                self.held.compiled.close()
        finally:
            self.held.compiled = None
            if self.held.folder is not None:
                self.held.folder.release()
