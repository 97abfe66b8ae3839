"""From a task that the group gave to one whose stores are being restored."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from millstream.client.contract import DataConsumer, Membership
from millstream.config import Settings
from millstream.engine import EventLoop, Outbox, Task, Wiring, compile_task
from millstream.errors import StateError
from millstream.plan.topology import Topology
from millstream.runtime.clock import Clock
from millstream.runtime.held import HeldTask, Restoring
from millstream.runtime.intake import Intake
from millstream.runtime.local_state import LocalState, misfit
from millstream.runtime.task_table import TaskTable
from millstream.runtime.worker_tables import WorkerTables, engine_settings

LOG = logging.getLogger("millstream.runtime")


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
        local, now_ms = self._in.local, self._in.clock.monotonic_ms()
        if held.folder is None and local.names(self._in.topology.subtopology(held.spec.id.subtopology)):
            held.folder = local.folder(held.spec.id)
        if held.folder is None or held.folder.lock():
            return True
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

    def open(self, held: HeldTask) -> None:
        """Compile the task. Its local stores are set aside where their changelogs do not go on from them."""
        limit_ms, changelogs = self._in.settings.call_timeout_ms, [*held.spec.changelogs, *held.spec.reused]
        marks = {changelog: self._in.data.watermarks(changelog, timeout_ms=limit_ms) for changelog in changelogs}
        held.compiled = self._compiled(held)
        reason = misfit(held.compiled.checkpoint(), marks)
        if reason is not None and held.folder is not None:
            held.compiled.close()
            aside = held.folder.set_aside()
            LOG.warning(
                "task %s: %s. The local stores are set aside as %s, and restored from the beginning",
                held.spec.id,
                reason,
                aside,
            )
            held.compiled = self._compiled(held)
        checkpoint = held.compiled.checkpoint()
        for changelog, (begin, end) in marks.items():
            until = end
            if changelog in held.spec.reused:  # an input too: restored as far as it is committed, then processed
                until = min(end, held.committed[changelog].offset) if changelog in held.committed else begin
            first = min(checkpoint.get(changelog, begin), until)
            held.restoring[changelog] = Restoring(first, first, until)

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
