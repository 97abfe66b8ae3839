"""Global tables: topics that every worker holds whole, kept up to date beside the tasks (rule K18)."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.engine.stores import open_store
from millstream.model import Batch
from millstream.plan.topology import Topology
from millstream.state import KeyValueRows


class GlobalTables:
    """The global tables of a topology, read-only for tasks. `apply` takes what was read of their topics."""

    def __init__(self, topology: Topology) -> None:
        self.stores: dict[str, KeyValueRows] = {}
        self._by_topic: dict[str, list[KeyValueRows]] = {}
        for table in topology.global_tables:
            rows = open_store(table.store)
            assert isinstance(rows, KeyValueRows)
            self.stores[table.store.name] = rows
            self._by_topic.setdefault(table.topic, []).append(rows)

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._by_topic)

    def apply(self, batch: Batch) -> None:
        """Rows of one of the topics, in order; null keys are skipped."""
        for rows in self._by_topic[batch.source.topic]:
            rows.restore(batch)

    def rows_of(self, topic: str) -> list[KeyValueRows]:
        return self._by_topic[topic]

    def read_only(self) -> Mapping[str, KeyValueRows]:
        return self.stores
