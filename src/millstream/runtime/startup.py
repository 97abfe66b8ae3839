"""Before the first record: topics looked up and created, and the plan held against what runs already.

These are the only calls of the runtime that wait for their answers in one place; each has a limit.
"""

from __future__ import annotations

from collections.abc import Iterable

from millstream.client.contract import Admin, DataConsumer
from millstream.config import Settings
from millstream.errors import KafkaError
from millstream.model import Batch, TopicPartition
from millstream.plan.topology import Topology
from millstream.runtime.clock import Clock
from millstream.runtime.outlet import Outlet
from millstream.runtime.task_table import Claim, TaskTable, claims
from millstream.runtime.topics import Prepared, create, look_up

POLL_MS = 100
POLL_RECORDS = 10_000


def start_up(topology: Topology, settings: Settings, admin: Admin, ground: Ground) -> Prepared:
    """Everything that must stand before a worker joins the group; raises what speaks against it."""
    prepared = look_up(topology, settings, admin)
    table = prepared.table
    if (partitions := prepared.existing.get(table.topic)) is not None:
        table.check(ground.claims(table.topic, partitions))
    create(prepared, settings, admin)
    ground.claim(table)
    return prepared


class Ground:
    """The tasks topic, read and written through a worker's own clients."""

    def __init__(self, data: DataConsumer, outlet: Outlet, clock: Clock, limit_ms: int) -> None:
        self._data = data
        self._outlet = outlet
        self._clock = clock
        self._limit_ms = limit_ms

    def claim(self, table: TaskTable) -> None:
        """Claim what nobody has claimed, then look again: another worker may have been faster."""
        missing = table.missing(self.claims(table.topic, len(table.tasks)))
        if not missing:
            return
        self._outlet.send(missing)
        until = self._clock.monotonic_ms() + self._limit_ms
        while not self._outlet.flushed:
            self._outlet.serve(POLL_MS)
            if self._clock.monotonic_ms() > until:
                raise KafkaError(f"topic {table.topic} took no record within {self._limit_ms} ms", retriable=True)
        table.check(self.claims(table.topic, len(table.tasks)))

    def claims(self, topic: str, partitions: int) -> dict[TopicPartition, Claim]:
        return claims(self._read([TopicPartition(topic, number) for number in range(partitions)]))

    def _read(self, partitions: Iterable[TopicPartition]) -> list[Batch]:
        """Everything that stands in the partitions now."""
        marks = {source: self._data.watermarks(source, timeout_ms=self._limit_ms) for source in partitions}
        ends = {source: end for source, (begin, end) in marks.items() if begin < end}
        left = set(ends)
        batches: list[Batch] = []
        self._data.assign({source: marks[source][0] for source in ends})
        until = self._clock.monotonic_ms() + self._limit_ms
        while left:
            fetched = self._data.poll(max_records=POLL_RECORDS, timeout_ms=POLL_MS)
            batches += fetched.batches
            left -= {batch.source for batch in fetched.batches if batch.next_offset >= ends[batch.source]}
            left -= {end.source for end in fetched.ends}
            for failure in fetched.failures:
                if not failure.error.retriable:
                    raise failure.error
            if self._clock.monotonic_ms() > until:
                raise KafkaError(f"{min(left)} could not be read within {self._limit_ms} ms", retriable=True)
        self._data.unassign(ends)
        return batches
