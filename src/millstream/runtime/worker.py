"""The worker: its clients opened and closed around one loop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace

from millstream.client.contract import DataConsumer, KafkaClient, Membership
from millstream.config import Settings
from millstream.engine import Outbox
from millstream.errors import MillstreamError
from millstream.plan.topology import Topology
from millstream.runtime.clock import Clock, SystemClock
from millstream.runtime.collector import rare_collections
from millstream.runtime.commit import AtLeastOnce, Committer
from millstream.runtime.exactly_once import ExactlyOnce
from millstream.runtime.home import home_of
from millstream.runtime.identity import Identity
from millstream.runtime.intake import Intake
from millstream.runtime.local_state import LocalState, changelogs_on_disk
from millstream.runtime.loop import Loop
from millstream.runtime.opening import Surroundings
from millstream.runtime.outlet import Outlet
from millstream.runtime.placement import client_name
from millstream.runtime.questions import Questions
from millstream.runtime.renewals import Renewals
from millstream.runtime.restarts import STOP_ALL
from millstream.runtime.standbys import Reading
from millstream.runtime.startup import Ground, start_up
from millstream.runtime.status import WorkerStatus
from millstream.runtime.topics import Prepared
from millstream.runtime.transaction import Transaction
from millstream.runtime.worker_tables import WorkerTables

LOG = logging.getLogger("millstream.runtime")


class Worker:
    """Runs the tasks that the group gives it, until it is told to stop or something fails.

    Whatever ends it, also `kill -9`, nothing that was acknowledged to it is lost. At-least-once: what was not committed
    is done again. Exactly-once: what was not committed is never seen. `run` raises what stopped it: ProcessingError and
    its like after what came before was committed, KafkaError and other failures of the clients without a commit. Before
    that it goes on with new clients, from the last commit, as far as `Renewals` has it.
    """

    def __init__(self, topology: Topology, settings: Settings, client: KafkaClient, clock: Clock | None = None) -> None:
        self._topology = topology
        self._settings = settings
        self._client = client
        self._clock = clock or SystemClock()
        self._status = WorkerStatus()
        self.questions = Questions(topology)
        self._pausing = threading.Event()

    def status(self) -> WorkerStatus:
        """The latest snapshot; from any thread."""
        return replace(self._status, paused=self.paused)

    @property
    def paused(self) -> bool:
        """Whether it is told to process nothing; may be set from any thread."""
        return self._pausing.is_set()

    @paused.setter
    def paused(self, paused: bool) -> None:
        if paused:
            self._pausing.set()
        else:
            self._pausing.clear()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then commit, leave the group and return."""
        with closing(self.questions):
            self._run_with_renewals(stop)

    def _run_with_renewals(self, stop: threading.Event) -> None:
        renewals = Renewals(self._settings.on_uncaught, self._settings.give_up_after_ms)
        while True:
            began_ms = self._clock.monotonic_ms()
            try:
                self._run_once(stop)
            except MillstreamError as error:
                wait_ms = renewals.failed(error, began_ms=began_ms, now_ms=self._clock.monotonic_ms())
                if wait_ms is None or stop.is_set():
                    if self._settings.on_uncaught == "stop_all":
                        error.exit_status = STOP_ALL
                    raise
                self._status = WorkerStatus()  # it begins; its last loop's snapshot would soon look like one that hangs
                LOG.error("%s; the worker begins anew from its last commit in %g s", error, wait_ms / 1000)
                stop.wait(wait_ms / 1000)
            if stop.is_set():
                return

    def _run_once(self, stop: threading.Event) -> None:
        with ExitStack() as stack:
            loop = self._started(stack)
            stack.callback(loop.abandon)
            stack.enter_context(rare_collections())
            while not stop.is_set():
                loop.turn()
                self.questions.serve(loop)
                self._status = loop.tally.snapshot()
            loop.finish()
            self._status = loop.tally.last()

    def _started(self, stack: ExitStack) -> Loop:
        settings, clock = self._settings, self._clock
        data = self._prepared_data(stack)
        prepared, topic_ids = self._prepare(data)
        membership = self._membership(stack, prepared.table.topic)
        intake = Intake(data, settings, clock)
        outbox = Outbox(prepared.counts)
        outlet, committer = self._way_out(stack, membership, outbox)
        tables = WorkerTables(self._topology, prepared.counts, settings, outbox)
        stack.callback(tables.tables.close)
        tables.open(intake, data, settings.call_timeout_ms)
        surroundings = Surroundings(
            self._topology,
            settings,
            prepared.table,
            outbox,
            intake,
            data,
            membership,
            clock,
            LocalState(settings, topic_ids),
        )
        return Loop(surroundings, tables, outlet, committer, self._of_standbys(stack), self._pausing)

    def _membership(self, stack: ExitStack, topic: str) -> Membership:
        settings = self._settings
        named = None
        if settings.num_standby_replicas:
            named = client_name(settings.application_id, home_of(settings.state_dir, settings.application_id))
        membership = self._client.membership(
            settings.application_id,
            topic,
            instance=settings.group_instance_id,
            read_committed=settings.exactly_once,
            client=named,
        )
        stack.callback(membership.close)
        return membership

    def _of_standbys(self, stack: ExitStack) -> Reading | None:
        """Clients of their own, so that what standby copies read never stands before what tasks wait for."""
        settings = self._settings
        if not settings.num_standby_replicas:
            return None
        name = f"{settings.application_id}-standby"
        data = self._client.data_consumer(name, read_committed=settings.exactly_once, strict=True)
        stack.callback(data.close)
        view = self._client.group_view(settings.application_id)
        stack.callback(view.close)
        return Reading(data, view)

    def _prepared_data(self, stack: ExitStack) -> DataConsumer:
        data = self._client.data_consumer(self._settings.application_id, read_committed=self._settings.exactly_once)
        stack.callback(data.close)
        return data

    def _prepare(self, data: DataConsumer) -> tuple[Prepared, Mapping[str, str]]:
        """Look up and create what must be there, and the ids of changelogs whose stores are on disk."""
        limit_ms = self._settings.call_timeout_ms
        with ExitStack() as opening:
            admin = self._client.admin()
            opening.callback(admin.close)
            admin.partition_counts(timeout_ms=limit_ms)  # is there a broker at all?
            producer = self._client.producer()
            opening.callback(producer.close)
            ground = Ground(data, Outlet(producer), self._clock, limit_ms)
            prepared = start_up(self._topology, self._settings, admin, ground)
            on_disk = changelogs_on_disk(self._topology, self._settings)
            return prepared, admin.topic_ids(on_disk, timeout_ms=limit_ms)

    def _way_out(self, stack: ExitStack, membership: Membership, outbox: Outbox) -> tuple[Outlet, Committer]:
        """The producer, and how commits are made with it."""
        if not self._settings.exactly_once:
            outlet = Outlet(self._client.producer(), self._client.producer)
            stack.callback(outlet.close)
            return outlet, AtLeastOnce(membership, outbox, outlet, self._clock)
        identity = Identity(self._settings)
        stack.callback(identity.release)
        timeout_ms = self._settings.transaction_timeout_ms
        transaction = Transaction(
            lambda: self._client.transactional_producer(identity.transactional_id, timeout_ms=timeout_ms),
            self._clock,
            self._settings.call_timeout_ms,
        )
        stack.callback(transaction.close)
        outlet = Outlet(transaction)
        return outlet, ExactlyOnce(membership, outbox, outlet, transaction)
