"""Before the first record: topics looked up and created, and the plan held against what runs already.

These are the only calls of the runtime that wait for their answers in one place; each has a limit.
"""

from __future__ import annotations

from collections.abc import Mapping

from millstream.client.contract import Admin, DataConsumer
from millstream.config import Settings
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from millstream.plan.topology import Topology
from millstream.runtime.clock import Clock
from millstream.runtime.outlet import Outlet
from millstream.runtime.task_table import Claim, TaskTable, claims
from millstream.runtime.topic_contents import POLL_MS, read_whole
from millstream.runtime.topics import Prepared, create, look_up


def start_up(topology: Topology, settings: Settings, admin: Admin, ground: Ground) -> Prepared:
    """Everything that must stand before a worker joins the group; raises what speaks against it."""
    prepared = look_up(topology, settings, admin)
    table = prepared.table
    found = None
    if (partitions := prepared.existing.get(table.topic)) is not None:
        found = ground.claims(table.topic, partitions)
        table.check(found)
    create(prepared, settings, admin)
    ground.claim(table, found)
    return prepared


class Ground:
    """The tasks topic, read and written through a worker's own clients."""

    def __init__(self, data: DataConsumer, outlet: Outlet, clock: Clock, limit_ms: int) -> None:
        self._data = data
        self._outlet = outlet
        self._clock = clock
        self._limit_ms = limit_ms

    def claim(self, table: TaskTable, found: Mapping[TopicPartition, Claim] | None) -> None:
        """Claim what nobody has claimed, then look again: another worker may have been faster.

        What was `found` before stays as it is; None: nobody has looked.
        """
        missing = table.missing(self.claims(table.topic, len(table.tasks)) if found is None else found)
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
        found = [TopicPartition(topic, number) for number in range(partitions)]
        return claims(read_whole(self._data, found, self._clock, self._limit_ms))
