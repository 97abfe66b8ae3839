"""The tasks of one worker: opened, restored, started, closed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from millstream.client.contract import EARLIEST, CommittedOffset
from millstream.engine import TaskMetrics
from millstream.errors import MillstreamError
from millstream.model import TopicPartition
from millstream.runtime.asking import Asking
from millstream.runtime.held import HeldTask
from millstream.runtime.lifecycle import Event, State
from millstream.runtime.opening import Opening, Surroundings
from millstream.runtime.standbys import Reading, Standbys
from millstream.runtime.worker_tables import WorkerTables

LOG = logging.getLogger("millstream.runtime")


class Tasks:
    """Every task that the group has given to this worker."""

    def __init__(self, surroundings: Surroundings, tables: WorkerTables, of_standbys: Reading | None = None) -> None:
        self._in = surroundings
        self._tables = tables
        self._held: dict[TopicPartition, HeldTask] = {}
        self._opening = Opening(surroundings, tables)
        self.standbys = None if of_standbys is None else Standbys(surroundings, self._opening, of_standbys)
        self._asking = Asking(surroundings.membership, surroundings.clock, surroundings.settings.call_timeout_ms)
        self.past = TaskMetrics()  # of tasks that are no longer here

    def __iter__(self) -> Iterator[HeldTask]:
        return iter(self._held.values())

    def __contains__(self, partition: object) -> bool:
        return partition in self._held

    def __len__(self) -> int:
        return len(self._held)

    def running(self) -> list[HeldTask]:
        return [held for held in self if held.running]

    def find(self, partitions: Iterable[TopicPartition]) -> list[HeldTask]:
        return [self._held[partition] for partition in partitions if partition in self._held]

    def add(self, partitions: Iterable[TopicPartition]) -> None:
        """The group gave these; they are opened by `proceed`. Standby copies of them become the tasks themselves."""
        for partition in partitions:
            copy = None if self.standbys is None else self.standbys.give(partition)
            self._held[partition] = copy or HeldTask(self._in.table.task_of(partition), partition)

    def proceed(self) -> None:
        """Open what is new, once global tables are complete (rule K18), and start what is restored."""
        if self._tables.complete:
            new = [held for held in self if held.state is State.CREATED and self._opening.may_open(held)]
            if new:
                self._open(new)
        for held in self:
            if held.state is State.RESTORING and held.restored:
                self._start(held)

    def close(self, held: Sequence[HeldTask]) -> None:
        """Close tasks that are committed, and forget them."""
        for each in held:
            each.on(Event.RELEASE_ASKED)
            self._forget(each)
            each.on(Event.CLOSED)

    def drop(self, held: Sequence[HeldTask]) -> None:
        """Forget tasks that are someone else's already; nothing of them is committed."""
        for each in held:
            self._forget(each)
            each.on(Event.LOST)

    def reopen(self) -> None:
        """Close every task as it is, with nothing committed, and begin it anew from what is."""
        for each in list(self):
            try:
                self._forget(each)
            except MillstreamError as error:
                LOG.warning("task %s: closing it: %s", each.spec.id, error)
            each.on(Event.LOST)
            self._held[each.partition] = HeldTask(each.spec, each.partition)

    def _forget(self, held: HeldTask) -> None:
        del self._held[held.partition]
        self._in.intake.close([*held.restoring, *held.fetched])
        try:
            self._close(held)
        finally:
            if held.folder is not None:
                held.folder.release()

    def _close(self, held: HeldTask) -> None:
        if held.compiled is not None:
            metrics = held.compiled.metrics
            self.past.records += metrics.records
            self.past.dropped += metrics.dropped
            self.past.late += metrics.late
            self.past.dead_letters += metrics.dead_letters
            self.past.restored += held.restored_rows
            held.compiled.close()

    def _open(self, new: Sequence[HeldTask]) -> None:
        inputs = [source for held in new for source in held.spec.inputs]
        committed = self._asking.committed(inputs)
        if committed is None:
            return
        for held in new:
            held.committed = {source: committed[source] for source in held.spec.inputs if source in committed}
            self._opening.open(held)
            held.on(Event.OPENED)
            to_read = {source: each.begin for source, each in held.restoring.items() if not each.done}
            if to_read:
                rows = sum(each.end - each.begin for each in held.restoring.values())
                LOG.info("task %s: restoring up to %d records", held.spec.id, rows)
                self._in.intake.open(held, to_read)

    def _start(self, held: HeldTask) -> None:
        task = held.task
        self._in.intake.close(held.restoring)
        held.logged = {changelog: held.restoring[changelog].position for changelog in held.spec.changelogs}
        committed = held.committed.items()
        task.resume({source: at.metadata for source, at in committed}, {source: at.offset for source, at in committed})
        task.start(wall_ms=self._in.clock.wall_ms())
        held.on(Event.RESTORED)
        if held.restored_rows:
            LOG.info("task %s: restored from %d records", held.spec.id, held.restored_rows)
        positions = {source: _start_of(held.committed, source) for source in held.spec.inputs}
        held.fetched.update(positions)
        self._in.intake.open(held, positions, task.buffered)


def _start_of(committed: Mapping[TopicPartition, CommittedOffset], source: TopicPartition) -> int:
    at = committed.get(source)
    return EARLIEST if at is None else at.offset
