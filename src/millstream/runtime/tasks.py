"""The tasks of one worker: opened, restored, started, closed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from millstream.client.contract import EARLIEST, CommittedOffset, DataConsumer, Membership
from millstream.config import Settings
from millstream.engine import EngineSettings, EventLoop, GlobalTables, Outbox, TaskMetrics, Wiring, compile_task
from millstream.model import Batch, TopicPartition
from millstream.plan.topology import Topology
from millstream.runtime.clock import Clock
from millstream.runtime.held import HeldTask, Restoring
from millstream.runtime.intake import Intake
from millstream.runtime.lifecycle import Event, State
from millstream.runtime.task_table import TaskTable

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


class Tasks:
    """Every task that the group has given to this worker."""

    def __init__(self, surroundings: Surroundings, tables: WorkerTables) -> None:
        self._in = surroundings
        self._tables = tables
        self._held: dict[TopicPartition, HeldTask] = {}
        self._loop = EventLoop()
        self.past = TaskMetrics()  # of tasks that are no longer here

    def __iter__(self) -> Iterator[HeldTask]:
        return iter(self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def running(self) -> list[HeldTask]:
        return [held for held in self if held.running]

    def find(self, partitions: Iterable[TopicPartition]) -> list[HeldTask]:
        return [self._held[partition] for partition in partitions if partition in self._held]

    def add(self, partitions: Iterable[TopicPartition]) -> None:
        """The group gave these; they are opened by `proceed`."""
        for partition in partitions:
            self._held[partition] = HeldTask(self._in.table.task_of(partition), partition)

    def proceed(self) -> None:
        """Open what is new, once global tables are complete (rule K18), and start what is restored."""
        new = [held for held in self if held.state is State.CREATED]
        if new and self._tables.complete:
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

    def _forget(self, held: HeldTask) -> None:
        del self._held[held.partition]
        self._in.intake.close([*held.restoring, *held.fetched])
        if held.compiled is not None:
            metrics = held.compiled.metrics
            self.past.records += metrics.records
            self.past.dropped += metrics.dropped
            self.past.late += metrics.late
            self.past.dead_letters += metrics.dead_letters
            held.compiled.close()

    def _open(self, new: Sequence[HeldTask]) -> None:
        limit_ms = self._in.settings.call_timeout_ms
        inputs = [source for held in new for source in held.spec.inputs]
        committed = self._in.membership.committed(inputs, timeout_ms=limit_ms)
        for held in new:
            held.committed = {source: committed[source] for source in held.spec.inputs if source in committed}
            held.compiled = compile_task(
                self._in.topology.subtopology(held.spec.id.subtopology), held.spec, self._wiring()
            )
            for changelog in held.spec.changelogs:
                begin, end = self._in.data.watermarks(changelog, timeout_ms=limit_ms)
                held.restoring[changelog] = Restoring(begin, begin, end)
            for source in held.spec.reused.keys() & held.committed.keys():
                begin, end = self._in.data.watermarks(source, timeout_ms=limit_ms)
                held.restoring[source] = Restoring(begin, begin, min(end, held.committed[source].offset))
            held.on(Event.OPENED)
            to_read = {source: each.begin for source, each in held.restoring.items() if not each.done}
            if to_read:
                rows = sum(each.end - each.begin for each in held.restoring.values())
                LOG.info("task %s: restoring up to %d records", held.spec.id, rows)
                self._in.intake.open(held, to_read)

    def _start(self, held: HeldTask) -> None:
        task = held.task
        self._in.intake.close(held.restoring)
        task.resume({source: at.metadata for source, at in held.committed.items()})
        task.start(wall_ms=self._in.clock.wall_ms())
        held.on(Event.RESTORED)
        if held.restored_rows:
            LOG.info("task %s: restored from %d records", held.spec.id, held.restored_rows)
        positions = {source: _start_of(held.committed, source) for source in held.spec.inputs}
        held.fetched.update(positions)
        self._in.intake.open(held, positions, task.buffered)

    def _wiring(self) -> Wiring:
        settings = self._in.settings
        return Wiring(
            settings.application_id,
            engine_settings(settings),
            self._in.outbox,
            self._tables.tables,
            self._in.clock.wall_ms(),
            self._loop,
        )


class WorkerTables:
    """The worker's global tables: read from the beginning, complete when the first ends were seen, kept up to date."""

    def __init__(self, topology: Topology, counts: Mapping[str, int], settings: Settings, outbox: Outbox) -> None:
        self.tables = GlobalTables(topology, engine_settings(settings), outbox, app_id=settings.application_id)
        self.partitions = [
            TopicPartition(topic, number) for topic in self.tables.topics for number in range(counts[topic])
        ]
        self._unread = set(self.partitions)

    @property
    def complete(self) -> bool:
        return not self._unread

    def open(self, intake: Intake, data: DataConsumer, limit_ms: int) -> None:
        """Begin to read; an empty partition is complete at once, without the wait of a fetch that finds nothing."""
        marks = {source: data.watermarks(source, timeout_ms=limit_ms) for source in self.partitions}
        self._unread = {source for source, (begin, end) in marks.items() if begin < end}
        intake.open(self, {source: begin for source, (begin, _) in marks.items()})

    def take(self, batch: Batch) -> None:
        self.tables.apply(batch)

    def ended(self, source: TopicPartition, offset: int) -> None:
        self._unread.discard(source)


def engine_settings(settings: Settings) -> EngineSettings:
    return EngineSettings(
        on_decode_error=settings.on_decode_error,
        on_error=settings.on_error,
        on_send_error=settings.on_send_error,
        dead_letters=settings.dead_letters,
        wait_for_inputs_ms=settings.wait_for_inputs_ms,
        retention_rule=settings.retention_rule,
        emit_interval_ms=settings.emit_interval_ms,
    )


def _start_of(committed: Mapping[TopicPartition, CommittedOffset], source: TopicPartition) -> int:
    at = committed.get(source)
    return EARLIEST if at is None else at.offset
