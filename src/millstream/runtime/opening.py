"""From a task that the group gave to one whose stores are being restored."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from millstream.client.contract import DataConsumer, Membership
from millstream.config import Settings
from millstream.engine import EventLoop, Outbox, Task, Wiring, compile_task, outgrow_changelogs
from millstream.errors import StateError
from millstream.model import TopicPartition
from millstream.plan.topology import Topology
from millstream.runtime.clock import Clock
from millstream.runtime.held import HeldTask, Restoring
from millstream.runtime.intake import Intake
from millstream.runtime.local_state import LocalState, Marks, misfit
from millstream.runtime.task_table import TaskTable
from millstream.runtime.worker_tables import WorkerTables, engine_settings

LOG = logging.getLogger("millstream.runtime")

COPY_LIMIT_MS = 1_000
RENEWED_AFTER, RENEWED_ROWS = 2, 200_000


@dataclass(frozen=True, slots=True)
class Copied:
    """From where on a standby copy lacks the records of its changelogs, and after how many more it is to be made anew.

    Windows, sessions and versions are forgotten by the task's work, which a copy doesn't do. So it is made anew when it
    has read about twice what its changelogs had: these are cleaned by the broker. None: it needs that never.
    """

    positions: dict[TopicPartition, int]
    renew_after: int | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tasks are made of and read through."""

    topology: Topology
    settings: Settings
    table: TaskTable
    outbox: Outbox
    intake: Intake
    data: DataConsumer
    membership: Membership
    clock: Clock
    local: LocalState


class Opening:
    """Compiles tasks over their local stores, and finds where restoring these begins."""

    def __init__(self, surroundings: Surroundings, tables: WorkerTables) -> None:
        self._in = surroundings
        self._tables = tables
        self._loop = EventLoop()

    def may_open(self, held: HeldTask) -> bool:
        """Whether the folder of its stores is this worker's, or it needs none.

        Another worker on this machine gives it up when it has closed the task; if it doesn't, StateError.
        """
        if self.may_copy(held) or held.folder is None:
            return True
        now_ms = self._in.clock.monotonic_ms()
        if held.waits_since_ms is None:
            held.waits_since_ms = now_ms
            LOG.warning("task %s: waiting for %s, which another process has locked", held.spec.id, held.folder.path)
        elif now_ms - held.waits_since_ms > self._in.settings.call_timeout_ms:
            raise StateError(
                f"task {held.spec.id}: {held.folder.path} is locked by another process, which has not given it up "
                f"within {self._in.settings.call_timeout_ms} ms; end that process, or give this one a state_dir of its "
                "own"
            )
        return False

    def may_copy(self, held: HeldTask) -> bool:
        """The same for a standby copy, which waits for nobody."""
        if held.folder is None and self.on_disk(held.spec.id.subtopology):
            held.folder = self._in.local.folder(held.spec.id)
        return held.folder is None or held.folder.lock()

    def on_disk(self, subtopology: int) -> bool:
        """Whether tasks of a sub-topology have stores on disk."""
        return bool(self._in.local.names(self._in.topology.subtopology(subtopology)))

    def open(self, held: HeldTask) -> None:
        """Compile the task, unless it was a standby copy, and see what its stores lack."""
        marks = self._marks([*held.spec.changelogs, *held.spec.reused], self._in.settings.call_timeout_ms)
        self._fit(held, marks)
        checkpoint = held.checkpoint()
        for changelog, (begin, end) in marks.items():
            until = end
            if changelog in held.spec.reused:  # an input too: restored as far as it is committed, then processed
                until = min(end, held.committed[changelog].offset) if changelog in held.committed else begin
            first = min(checkpoint.get(changelog, begin), until)
            held.restoring[changelog] = Restoring(first, first, until)

    def copy(self, held: HeldTask) -> Copied:
        """Compile a standby copy.

        A store that is restored from an input is left as it is: how much of that is processed is not known here.
        """
        marks = self._marks(held.spec.changelogs, min(COPY_LIMIT_MS, self._in.settings.call_timeout_ms))
        self._fit(held, marks)
        checkpoint = held.checkpoint()
        positions = {changelog: checkpoint.get(changelog, begin) for changelog, (begin, _) in marks.items()}
        outgrows = outgrow_changelogs(self._in.topology.subtopology(held.spec.id.subtopology).stores)
        size = sum(end - begin for begin, end in marks.values())
        return Copied(positions, RENEWED_AFTER * size + RENEWED_ROWS if outgrows else None)

    def empty(self, held: HeldTask) -> None:
        """Empty the local stores of a standby copy, which is to be closed and made anew."""
        marks = self._marks(held.spec.changelogs, min(COPY_LIMIT_MS, self._in.settings.call_timeout_ms))
        held.task.empty({changelog: begin for changelog, (begin, _) in marks.items()})

    def _marks(self, changelogs: Iterable[TopicPartition], limit_ms: int) -> dict[TopicPartition, tuple[int, int]]:
        return {changelog: self._in.data.watermarks(changelog, timeout_ms=limit_ms) for changelog in changelogs}

    def _fit(self, held: HeldTask, marks: Marks) -> None:
        """Compile what is not compiled. Where changelogs do not go on from what is there, it begins anew: local stores
        are set aside, and what is in memory is dropped.
        """
        if held.compiled is None:
            held.compiled = self._compiled(held)
        reason = misfit({source: at for source, at in held.checkpoint().items() if source in marks}, marks)
        if reason is None:
            return
        held.compiled.close()
        held.compiled, held.warm = None, {}
        what = "dropped" if held.folder is None else f"set aside as {held.folder.set_aside()}"
        LOG.warning("task %s: %s. The local stores are %s, and restored from the beginning", held.spec.id, reason, what)
        held.compiled = self._compiled(held)

    def _compiled(self, held: HeldTask) -> Task:
        sub = self._in.topology.subtopology(held.spec.id.subtopology)
        disk = None if held.folder is None else self._in.local.open(held.folder, sub)
        try:
            return compile_task(sub, held.spec, self._wiring(), disk)
        except BaseException:
            if disk is not None:
                disk.close()
            raise

    def _wiring(self) -> Wiring:
        settings = self._in.settings
        return Wiring(
            settings.application_id,
            engine_settings(settings),
            self._in.outbox,
            self._tables.tables,
            self._in.clock.wall_ms(),
            self._loop,
            self._in.local.budget,
        )
