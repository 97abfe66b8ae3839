"""The loop of a worker over its tasks: rounds, commits, changes of the group, failures."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable

from millstream.client.contract import CommitOutcome, GroupChange
from millstream.errors import KafkaError, MillstreamError
from millstream.model import TopicPartition
from millstream.runtime.commit import Committer
from millstream.runtime.decisions import idle_wait_ms
from millstream.runtime.opening import Surroundings
from millstream.runtime.outlet import Outlet
from millstream.runtime.pace import Pace
from millstream.runtime.processing import Processing
from millstream.runtime.recovery import Mending, Remedy
from millstream.runtime.spans import Spans
from millstream.runtime.standbys import Reading
from millstream.runtime.tally import Tally
from millstream.runtime.tasks import Tasks
from millstream.runtime.transaction import Procedure
from millstream.runtime.worker_tables import WorkerTables

LOG = logging.getLogger("millstream.runtime")

SERVE_MS = 1


class Loop:
    """What a worker does again and again. `turn` is the list of it.

    While `pausing` is set it reads until its buffers are full, restores, commits, stays in the group, and processes
    nothing.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        tables: WorkerTables,
        outlet: Outlet,
        committer: Committer,
        of_standbys: Reading | None = None,
        pausing: threading.Event | None = None,
    ) -> None:
        self._settings = surroundings.settings
        self._clock = surroundings.clock
        self._membership = surroundings.membership
        self._intake = surroundings.intake
        self._outbox = surroundings.outbox
        self._outlet = outlet
        self._cache = surroundings.local.budget
        self.tasks = self._tasks = Tasks(surroundings, tables, of_standbys)
        self.table, self.global_tables = surroundings.table, tables.tables
        self._pausing = pausing or threading.Event()
        self.asked = False  # lately, by somebody who wants to be answered soon
        self._committer = committer
        self._processing = Processing(surroundings.intake, surroundings.settings, surroundings.clock)
        self._changes: deque[GroupChange] = deque()
        self._following: GroupChange | None = None
        self._procedure: Procedure | None = committer.begin()
        self._mending = Mending(surroundings.settings.give_up_after_ms)
        self._pace = Pace(surroundings.settings, surroundings.clock.monotonic_ms())
        self._worked = False
        self.tally = Tally(self._tasks, surroundings, outlet, self._committer)
        self._spans = Spans(self._clock)

    def turn(self) -> None:
        """Everything once."""
        self._serve_group()
        try:
            self._outlet.serve()
            self._go_on()
            if self._procedure is not None or self._outlet.full:
                self._wait()
            else:
                self._work()
        except KafkaError as error:
            self._recover(error)

    def _work(self) -> None:
        """One round."""
        try:
            self._tasks.proceed()
            self._fetch()
            if self._pausing.is_set():  # perhaps since the fetch began
                self._worked = False
            else:
                self._round()
                self._punctuate()
            self._emit()
            self._keep_standbys()
        except MillstreamError as error:
            self._fail(error)
        self._commit_if_due()

    def finish(self) -> None:
        """Commit and close everything; KafkaError when that takes too long."""
        try:
            if self._procedure is not None:
                self._complete(self._procedure)
            self._complete(self._committer.commit(list(self._tasks)))
        except KafkaError as error:
            if self._committer.remedy(error) is Remedy.STOP:
                raise
            LOG.warning("%s; what was done since the last commit is left to be done again", error)
            self.abandon()
        else:
            self._tasks.close(list(self._tasks))  # but for those that were lost meanwhile

    def abandon(self) -> None:
        """Drop what is still held when something failed: nothing of it is committed. Standby copies are closed."""
        self._tasks.drop(list(self._tasks))
        if self._tasks.standbys is not None:
            self._tasks.standbys.close()

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
            self._following = self._changes.popleft()
            self._procedure = self._follow(self._following)
        if self._procedure is not None and next(self._procedure, self) is self:
            self._procedure = self._following = None

    def _wait(self) -> None:
        """A little, for what is under way: the producer's acknowledgements or a commit's outcome."""
        if not self._outlet.flushed:
            self._outlet.serve(SERVE_MS)
        elif not self._committer.wait(SERVE_MS):
            self._serve_group(SERVE_MS)

    def _fetch(self) -> None:
        self._intake.regulate()
        self._intake.fetch(
            idle_wait_ms(
                worked=self._worked or (self._tasks.standbys is not None and self._tasks.standbys.busy),
                held_back=self._processing.held_back,
                until_timer_ms=self._until_timer(),
                asked=self.asked or self._outlet.held > 0,
                without_tasks=not len(self._tasks),
            )
        )

    def _round(self) -> None:
        began = self._spans.begin()
        taken = self._processing.round(self._tasks.running())
        self._worked = taken > 0
        if taken:
            self.tally.rounds += 1
            self._spans.end("millstream.round", began, records=taken)
        self._pace.taken(taken, self._intake.row_bytes)

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

    def _keep_standbys(self) -> None:
        if self._tasks.standbys is not None:
            self._tasks.standbys.turn(self._tasks, worked=self._worked)

    def _commit_if_due(self) -> None:
        if self._changes:  # the group waits: what it asks for comes first, and commits what it takes away
            return
        now_ms = self._clock.monotonic_ms()
        running = self._tasks.running()
        asked = self._cache.wanted or any(held.task.commit_requested for held in running)
        if not self._pace.due(now_ms, asked=asked):
            return
        if any(held.task.needs_commit or held.progress() for held in running):
            commit = self.tally.timed(self._committer.commit(running))
            self._procedure = self._spans.around("millstream.commit", commit, tasks=len(running))
        self._pace.begin(now_ms)

    # --- group changes and failures

    def _follow(self, change: GroupChange) -> Procedure:
        if change.kind == "assigned":
            self._tasks.add(change.partitions)
            return
        held = self._tasks.find(change.partitions)
        yield from self._committer.commit(self._tasks.running() if self._committer.whole else held)
        self._tasks.close(held)
        self._membership.release(change.partitions)

    def _lose(self, partitions: Iterable[TopicPartition]) -> None:
        """Tasks that are someone else's already: give up what is under way for them, and forget them."""
        lost = set(partitions)
        LOG.warning("the group has given %d tasks to others without asking", len(lost))
        self._give_up_procedure()
        self._changes = deque(_without(change, lost) for change in self._changes)
        self._tasks.drop(self._tasks.find(lost))
        if self._committer.whole:  # what the lost tasks have written lies in the same transaction as the others'
            self._procedure = self._recovery(Remedy.ABORT, 0)
        elif not list(self._tasks):  # all at once, when the group has not heard of this worker for long
            self._outbox.drain()
            self._outlet.abandon()  # a row of a changelog that is written late would undo what the new owner writes

    def _give_up_procedure(self) -> None:
        """What the group asked for meanwhile is still to be done."""
        if self._procedure is not None:
            self._procedure.close()
        if self._following is not None:
            self._changes.appendleft(self._following)
        self._procedure = self._following = None

    def _recover(self, error: KafkaError) -> None:
        """Go on from the last commit, where that can help; else raise the error."""
        wanted = self._committer.remedy(error)
        wait_ms = self._mending.failed(round(self._clock.monotonic_ms()), self._committer.commits)
        if wanted is Remedy.STOP or wait_ms is None:
            raise error
        LOG.warning("%s; %s, and the tasks go on from their last commit", error, wanted.value)
        self._give_up_procedure()
        self._procedure = self._recovery(wanted, wait_ms)

    def _recovery(self, wanted: Remedy, wait_ms: int) -> Procedure:
        self._tasks.reopen()
        self._outbox.drain()
        self._outlet.clear()
        yield from self._committer.recover(wanted)
        until = self._clock.monotonic_ms() + wait_ms
        while self._clock.monotonic_ms() < until:
            yield

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
