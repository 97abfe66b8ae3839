"""A commit, at-least-once, as a procedure: each `yield` waits until the worker has served its clients once more.

The order is what keeps the promise. Outputs are acknowledged before the changelog is written, so that a store never
holds what its outputs do not yet tell; the changelog before a store's local files, so that these are never ahead of it;
and all before the offsets, so that an input is never passed over whose effect is not kept. Whatever stops a worker in
between makes it, or its successor, do some of the work again.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from typing import Protocol

from millstream.client.contract import CommitOutcome, CommittedOffset, Membership
from millstream.engine import Outbox
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from millstream.runtime.clock import Clock
from millstream.runtime.held import HeldTask
from millstream.runtime.outlet import Outlet
from millstream.runtime.recovery import Remedy
from millstream.runtime.transaction import Procedure

LOG = logging.getLogger("millstream.runtime")

RETRY_MS = 100
LIMIT_MS = 60_000

# The group has gone on without this member: the tasks are, or are about to be, someone else's.
FENCED = frozenset({22, 25, 82})  # ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID


class Committer(Protocol):
    """Commits tasks of one worker, one commit at a time. `whole`: always all of them that run."""

    whole: bool
    commits: int

    def noticed(self, outcome: CommitOutcome) -> None:
        """The membership reported a commit's outcome."""

    def begin(self) -> Procedure:
        """What is to be done before the first record."""

    def commit(self, held: Sequence[HeldTask]) -> Procedure:
        """Commit those of the tasks that have something to commit."""

    def wait(self, timeout_ms: int) -> bool:
        """Wait a little for what is under way; False when the clients' polls are what it waits for."""

    def remedy(self, error: KafkaError) -> Remedy:
        """What an error of the clients calls for."""

    def recover(self, wanted: Remedy) -> Procedure:
        """Give up what was written since the last commit."""


def flushed(outlet: Outlet, outbox: Outbox) -> Procedure:
    """Wait until everything is written, the dead letters of what is refused meanwhile as well."""
    while len(outbox) or not outlet.flushed:
        outlet.send(outbox.drain())
        yield


class AtLeastOnce:
    """Stores offsets through the group, after all that they stand for."""

    whole = False

    def __init__(self, membership: Membership, outbox: Outbox, outlet: Outlet, clock: Clock) -> None:
        self._membership = membership
        self._outbox = outbox
        self._outlet = outlet
        self._clock = clock
        self._outcome: CommitOutcome | None = None
        self.commits = 0

    def noticed(self, outcome: CommitOutcome) -> None:
        self._outcome = outcome

    def begin(self) -> Procedure:
        yield from ()

    def wait(self, timeout_ms: int) -> bool:
        del timeout_ms
        return False

    def remedy(self, error: KafkaError) -> Remedy:
        """What was written cannot be taken back, so that only a new worker goes on from the last commit."""
        del error
        return Remedy.STOP

    def recover(self, wanted: Remedy) -> Procedure:
        del wanted
        yield from ()

    def commit(self, held: Sequence[HeldTask]) -> Procedure:
        ready = [each for each in held if each.running and (each.task.needs_commit or each.progress())]
        if not ready:
            return
        for each in ready:
            each.task.end_round()
        self._outlet.send(self._outbox.drain())
        yield from self._flush()
        for each in ready:
            self._outlet.send(each.changelog())
        yield from self._flush()
        for each in ready:
            each.settle()
        offsets = {source: at for each in ready for source, at in each.progress().items()}
        if offsets and not (yield from self._store(offsets)):
            return
        for each in ready:
            each.committed.update((source, offsets[source]) for source in each.spec.inputs if source in offsets)
            each.task.committed()
        self.commits += 1

    def _flush(self) -> Procedure:
        yield from flushed(self._outlet, self._outbox)

    def _store(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> Generator[None, None, bool]:
        """Store offsets; the generator's value is whether they are stored, False when the group has gone on."""
        until = self._clock.monotonic_ms() + LIMIT_MS
        while True:
            self._outcome = None
            self._membership.commit(offsets)
            error = (yield from self._answer(offsets, until)).error
            if error is None:
                return True
            if error.code in FENCED:
                LOG.warning("%s; the group has gone on without this worker", error)
                return False
            if not error.retriable or self._clock.monotonic_ms() > until:
                raise error
            retry_at = self._clock.monotonic_ms() + RETRY_MS
            while self._clock.monotonic_ms() < retry_at:
                yield

    def _answer(
        self, offsets: Mapping[TopicPartition, CommittedOffset], until: float
    ) -> Generator[None, None, CommitOutcome]:
        """The outcome of this commit; an earlier one that was given up may still be answered before it."""
        while self._outcome is None or self._outcome.offsets.keys() != offsets.keys():
            if self._clock.monotonic_ms() > until:
                raise KafkaError(f"offsets were not committed within {LIMIT_MS} ms", retriable=True)
            yield
        return self._outcome
