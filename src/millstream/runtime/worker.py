"""The worker: one loop over one group member's tasks."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack

from millstream.client.contract import CommitOutcome, GroupChange, KafkaClient
from millstream.config import Settings
from millstream.engine import Outbox
from millstream.errors import KafkaError, MillstreamError
from millstream.model import TopicPartition
from millstream.plan.topology import Topology
from millstream.runtime.clock import Clock, SystemClock
from millstream.runtime.collector import rare_collections
from millstream.runtime.commit import Committer, Procedure
from millstream.runtime.decisions import CommitFacts, commit_due, idle_wait_ms
from millstream.runtime.intake import Intake
from millstream.runtime.local_state import LocalState, changelogs_on_disk
from millstream.runtime.opening import Surroundings
from millstream.runtime.outlet import Outlet
from millstream.runtime.processing import Processing
from millstream.runtime.spans import Spans
from millstream.runtime.startup import Ground, start_up
from millstream.runtime.status import WorkerStatus
from millstream.runtime.tally import Tally
from millstream.runtime.tasks import Tasks
from millstream.runtime.worker_tables import WorkerTables

LOG = logging.getLogger("millstream.runtime")

SERVE_MS = 5


class Worker:
    """Runs the tasks that the group gives it, until it is told to stop or something fails.

    At-least-once: whatever ends it, also `kill -9`, nothing that was acknowledged to it is lost; what was not committed
    is done again. `run` raises what stopped it: ProcessingError and its like after what came before was committed,
    KafkaError and other failures of the clients without a commit.
    """

    def __init__(self, topology: Topology, settings: Settings, client: KafkaClient, clock: Clock | None = None) -> None:
        self._topology = topology
        self._settings = settings
        self._client = client
        self._clock = clock or SystemClock()
        self._status = WorkerStatus()

    def status(self) -> WorkerStatus:
        """The latest snapshot; from any thread."""
        return self._status

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then commit, leave the group and return."""
        with ExitStack() as stack:
            loop = self._started(stack)
            stack.callback(loop.abandon)
            stack.enter_context(rare_collections())
            while not stop.is_set():
                loop.turn()
                self._status = loop.tally.snapshot()
            loop.finish()
            self._status = loop.tally.last()

    def _started(self, stack: ExitStack) -> Loop:
        admin = self._client.admin()
        with ExitStack() as opening:
            opening.callback(admin.close)
            admin.partition_counts(timeout_ms=self._settings.call_timeout_ms)  # is there a broker at all?
            data = self._client.data_consumer(self._settings.application_id)
            stack.callback(data.close)
            producer = self._client.producer()
            stack.callback(producer.close)
            outlet = Outlet(producer)
            ground = Ground(data, outlet, self._clock, self._settings.call_timeout_ms)
            prepared = start_up(self._topology, self._settings, admin, ground)
            on_disk = changelogs_on_disk(self._topology, self._settings)
            ids = admin.topic_ids(on_disk, timeout_ms=self._settings.call_timeout_ms)
        membership = self._client.membership(self._settings.application_id, prepared.table.topic)
        stack.callback(membership.close)
        intake = Intake(data, self._settings, self._clock)
        outbox = Outbox(prepared.counts)
        tables = WorkerTables(self._topology, prepared.counts, self._settings, outbox)
        stack.callback(tables.tables.close)
        tables.open(intake, data, self._settings.call_timeout_ms)
        surroundings = Surroundings(
            self._topology,
            self._settings,
            prepared.table,
            outbox,
            intake,
            data,
            membership,
            self._clock,
            LocalState(self._settings, ids),
        )
        return Loop(surroundings, tables, outlet)


class Loop:
    """What a worker does again and again. `turn` is the list of it."""

    def __init__(self, surroundings: Surroundings, tables: WorkerTables, outlet: Outlet) -> None:
        self._settings = surroundings.settings
        self._clock = surroundings.clock
        self._membership = surroundings.membership
        self._intake = surroundings.intake
        self._outbox = surroundings.outbox
        self._outlet = outlet
        self._cache = surroundings.local.budget
        self._tasks = Tasks(surroundings, tables)
        self._committer = Committer(surroundings.membership, surroundings.outbox, outlet, surroundings.clock)
        self._processing = Processing(surroundings.intake, surroundings.settings, surroundings.clock)
        self._changes: deque[GroupChange] = deque()
        self._procedure: Procedure | None = None
        self._committed_at_ms = surroundings.clock.monotonic_ms()
        self._worked = False
        self.tally = Tally(self._tasks, surroundings, outlet, self._committer)
        self._spans = Spans(self._clock)

    def turn(self) -> None:
        """Everything once."""
        self._serve_group()
        self._outlet.serve()
        self._go_on()
        if self._procedure is not None or self._outlet.full:
            self._wait()
            return
        try:
            self._tasks.proceed()
            self._fetch()
            self._round()
            self._punctuate()
            self._emit()
        except MillstreamError as error:
            self._fail(error)
        self._commit_if_due()

    def finish(self) -> None:
        """Commit and close everything; KafkaError when that takes too long."""
        if self._procedure is not None:
            self._complete(self._procedure)
        held = list(self._tasks)
        self._complete(self._committer.commit(held))
        self._tasks.close(held)

    def abandon(self) -> None:
        """Drop what is still held when something failed: nothing of it is committed."""
        self._tasks.drop(list(self._tasks))

    # --- the phases of a turn

    def _serve_group(self, timeout_ms: int = 0) -> None:
        for event in self._membership.poll(timeout_ms=timeout_ms):
            if isinstance(event, CommitOutcome):
                self._committer.noticed(event)
            elif not isinstance(event, GroupChange):
                self._intake.bear(event)
            elif event.kind == "lost":
                self._lose(event.partitions)
            else:
                self._changes.append(event)

    def _go_on(self) -> None:
        """One step of the procedure under way; else the next change of the group."""
        if self._procedure is None and self._changes:
            self._procedure = self._follow(self._changes.popleft())
        if self._procedure is not None and next(self._procedure, self) is self:
            self._procedure = None

    def _wait(self) -> None:
        """A little, for what is under way: the producer's acknowledgements or a commit's outcome."""
        if self._outlet.flushed:
            self._serve_group(SERVE_MS)
        else:
            self._outlet.serve(SERVE_MS)

    def _fetch(self) -> None:
        self._intake.regulate()
        self._intake.fetch(
            idle_wait_ms(worked=self._worked, held_back=self._processing.held_back, until_timer_ms=self._until_timer())
        )

    def _round(self) -> None:
        began = self._spans.begin()
        taken = self._processing.round(self._tasks.running())
        self._worked = taken > 0
        if taken:
            self.tally.rounds += 1
            self._spans.end("millstream.round", began, records=taken)

    def _punctuate(self) -> None:
        wall_ms = self._clock.wall_ms()
        for held in self._tasks.running():
            self._worked |= held.task.punctuate(wall_ms, unreadable=self._intake.failing)

    def _emit(self) -> None:
        for held in self._tasks.running():
            held.task.end_round()
        if len(self._outbox):
            self._outlet.send(self._outbox.drain())
        self._cache.relieve()

    def _commit_if_due(self) -> None:
        now_ms = self._clock.monotonic_ms()
        running = self._tasks.running()
        since_ms = round(now_ms - self._committed_at_ms)
        asked = self._cache.wanted or any(held.task.commit_requested for held in running)
        if not asked and since_ms < self._settings.commit_interval_ms:
            return
        progress = any(held.task.needs_commit or held.progress() for held in running)
        if commit_due(CommitFacts(progress, asked, since_ms), self._settings.commit_interval_ms):
            commit = self.tally.timed(self._committer.commit(running))
            self._procedure = self._spans.around("millstream.commit", commit, tasks=len(running))
        self._committed_at_ms = now_ms

    # --- group changes and failures

    def _follow(self, change: GroupChange) -> Procedure:
        if change.kind == "assigned":
            self._tasks.add(change.partitions)
            return
        held = self._tasks.find(change.partitions)
        yield from self._committer.commit(held)
        self._tasks.close(held)
        self._membership.release(change.partitions)

    def _lose(self, partitions: Iterable[TopicPartition]) -> None:
        """Tasks that are someone else's already: give up what is under way for them, and forget them."""
        lost = set(partitions)
        LOG.warning("the group has given %d tasks to others without asking", len(lost))
        if self._procedure is not None:
            self._procedure.close()
            self._procedure = None
        self._changes = deque(_without(change, lost) for change in self._changes)
        self._tasks.drop(self._tasks.find(lost))

    def _fail(self, error: MillstreamError) -> None:
        """Commit what came before a record that failed, then raise. A client's failure is raised as it is."""
        if isinstance(error, KafkaError):
            raise error
        LOG.error("stopping: %s", error)
        try:
            self._complete(self._committer.commit(self._tasks.running()))
        except MillstreamError as second:
            error.add_note(f"the work before it could not be committed: {second}")
        raise error

    def _complete(self, procedure: Procedure) -> None:
        """Run a procedure to its end, with a limit."""
        until = self._clock.monotonic_ms() + self._settings.stop_timeout_ms
        self._procedure = procedure
        while self._procedure is not None:
            self._go_on()
            if self._procedure is not None:
                self._wait()
                self._serve_group()
            if self._clock.monotonic_ms() > until:
                raise KafkaError(
                    f"the last commit was not done within {self._settings.stop_timeout_ms} ms; records since the one "
                    "before will be processed again",
                    retriable=True,
                )

    def _until_timer(self) -> int | None:
        due = [at for held in self._tasks.running() if (at := held.task.next_wall_punctuation()) is not None]
        return max(0, min(due) - self._clock.wall_ms()) if due else None


def _without(change: GroupChange, lost: set[TopicPartition]) -> GroupChange:
    return GroupChange(change.kind, [each for each in change.partitions if each not in lost])
