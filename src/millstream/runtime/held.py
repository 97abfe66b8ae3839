"""A task that the worker holds: its state, the compiled task once there is one, and how far restoring has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from millstream.client.contract import CommittedOffset
from millstream.engine import Task
from millstream.errors import StateError
from millstream.model import Batch, OutBatch, TopicPartition
from millstream.plan.internal import TaskSpec
from millstream.runtime.lifecycle import Event, State, after
from millstream.state.folder import TaskFolder


@dataclass(slots=True)
class Restoring:
    """A changelog partition, or an input that serves as one, on its way into a store."""

    begin: int
    position: int
    end: int

    @property
    def done(self) -> bool:
        return self.position >= self.end


@dataclass(slots=True)
class HeldTask:
    """One task of this worker. As a reader it takes changelogs first and inputs later."""

    spec: TaskSpec
    partition: TopicPartition  # of the tasks topic
    state: State = State.CREATED
    compiled: Task | None = None
    restoring: dict[TopicPartition, Restoring] = field(default_factory=dict)
    committed: dict[TopicPartition, CommittedOffset] = field(default_factory=dict)
    fetched: set[TopicPartition] = field(default_factory=set)  # inputs that are being read
    restored_rows: int = 0
    folder: TaskFolder | None = None  # of its stores on disk
    waits_since_ms: float | None = None  # for that folder, which another has
    logged: dict[TopicPartition, int] = field(default_factory=dict)  # the end of each changelog, as far as it wrote it
    warm: dict[TopicPartition, int] = field(default_factory=dict)  # how far a standby copy had come
    marked: set[TopicPartition] = field(default_factory=set)  # changelogs at whose end the mark of a commit is put

    @property
    def task(self) -> Task:
        """The compiled task; only a task that was opened has one."""
        if self.compiled is None:
            raise StateError(f"task {self.spec.id} is {self.state.value} and has not been opened")
        return self.compiled

    def checkpoint(self) -> Mapping[TopicPartition, int]:
        """The offsets from which on its stores lack the records of their changelogs; without one: all of them."""
        return {**self.task.checkpoint(), **self.warm}

    @property
    def running(self) -> bool:
        return self.state is State.RUNNING

    def on(self, event: Event) -> None:
        self.state = after(self.state, event)

    def take(self, batch: Batch) -> None:
        restoring = self._restoring(batch.source)
        if restoring is None:
            self.task.add(batch)
            return
        if batch.source in self.spec.reused:
            batch = batch.before(restoring.end)  # what is not committed yet is still to be processed (rule X7)
        restoring.position = batch.next_offset
        self.restored_rows += len(batch)
        self.task.restore(batch.source, batch)

    def ended(self, source: TopicPartition, offset: int) -> None:
        restoring = self._restoring(source)
        if restoring is None:
            self.task.caught_up(source, offset)
        else:
            restoring.position = max(restoring.position, min(offset, restoring.end))

    def _restoring(self, source: TopicPartition) -> Restoring | None:
        """An input that serves as a changelog is one until the task runs."""
        return None if self.running else self.restoring.get(source)

    @property
    def restored(self) -> bool:
        return all(restoring.done for restoring in self.restoring.values())

    def changelog(self) -> list[OutBatch]:
        """What its changelogs are to be told. Nobody else writes them, so their ends are known by counting.

        The mark that a transaction leaves behind is counted when more records follow it: then it stands there for sure.
        Where it isn't counted yet it is read again, which changes nothing.
        """
        batches = self.task.changelog()
        for batch in batches:
            self.logged[batch.target] += len(batch) + (batch.target in self.marked)
            self.marked.discard(batch.target)
        return batches

    def settle(self) -> None:
        """The changelogs have been told: the stores on disk may have it too."""
        self.task.settle(self.logged)

    def progress(self) -> Mapping[TopicPartition, CommittedOffset]:
        """Positions that differ from what is committed (rule X4)."""
        positions = self.task.positions().items()
        found = {source: CommittedOffset(offset, metadata) for source, (offset, metadata) in positions}
        return {source: at for source, at in found.items() if self.committed.get(source) != at}
