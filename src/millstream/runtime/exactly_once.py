"""A commit, exactly-once, as a procedure: one transaction over everything that a worker has done since the last (X5).

Outputs, repartition topics, changelogs, dead letters and the inputs' offsets become visible together, or never. All
tasks of the worker commit together, because their records lie in the same transaction. Files on disk are told after it,
so that they are never ahead of what is committed: whatever stops a worker, its tasks can go on from them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from millstream.client.contract import CommitOutcome, Membership
from millstream.engine import Outbox
from millstream.errors import KafkaError
from millstream.model import OutBatch, TopicPartition
from millstream.runtime.commit import flushed
from millstream.runtime.held import HeldTask
from millstream.runtime.outlet import Outlet
from millstream.runtime.recovery import Remedy, remedy
from millstream.runtime.transaction import Procedure, Transaction, not_a_member

LOG = logging.getLogger("millstream.runtime")


class ExactlyOnce:
    """Commits all tasks of one worker in its transaction."""

    whole = True

    def __init__(self, membership: Membership, outbox: Outbox, outlet: Outlet, transaction: Transaction) -> None:
        self._membership = membership
        self._outbox = outbox
        self._outlet = outlet
        self._transaction = transaction
        self.commits = 0

    def noticed(self, outcome: CommitOutcome) -> None:
        """Offsets are committed in transactions alone."""

    def begin(self) -> Procedure:
        yield from self._transaction.start()

    def commit(self, held: Sequence[HeldTask]) -> Procedure:
        """Commit the tasks, all that run, and whatever else the transaction holds."""
        ready = [each for each in held if each.running and (each.task.needs_commit or each.progress())]
        if not ready and not self._transaction.open:
            return
        for each in ready:
            each.task.end_round()
        self._outlet.send(self._outbox.drain())
        told = [(each, each.changelog()) for each in ready]
        for _, batches in told:
            self._outlet.send(batches)
        offsets = {source: at for each in ready for source, at in each.progress().items()}
        yield from flushed(self._outlet, self._outbox)
        if offsets:
            # Read as late as can be: the group may have gone on since the transaction began, with these tasks still
            # this worker's. Had it lost them, the loop would have been told, and given this commit up.
            group = self._membership.group_metadata()
            if group is None:
                raise not_a_member()
            yield from self._transaction.send_offsets(offsets, group)
        yield from self._transaction.commit()
        for each, batches in told:
            _committed(each, batches)
            each.committed.update((source, offsets[source]) for source in each.spec.inputs if source in offsets)
        self.commits += 1

    def wait(self, timeout_ms: int) -> bool:
        return self._transaction.wait(timeout_ms)

    def remedy(self, error: KafkaError) -> Remedy:
        return remedy(error)

    def recover(self, wanted: Remedy) -> Procedure:
        """End the transaction as it is, by another producer if need be; what it held is never seen."""
        if wanted is Remedy.ABORT:
            try:
                yield from self._transaction.abort()
            except KafkaError as error:
                LOG.warning("%s; the producer is replaced", error)
            else:
                return
        self._transaction.replace()
        yield from self._transaction.start()


def _committed(held: HeldTask, batches: Sequence[OutBatch]) -> None:
    held.settle()
    held.task.committed()
    targets: set[TopicPartition] = {batch.target for batch in batches}
    held.marked |= targets
