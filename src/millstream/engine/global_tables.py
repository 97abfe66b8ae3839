"""Global tables: topics that every worker holds whole, kept up to date beside the tasks (rule K18)."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.engine.context import TaskContext
from millstream.engine.failures import Failures
from millstream.engine.metrics import TaskMetrics
from millstream.engine.outbox import Outbox
from millstream.engine.settings import EngineSettings
from millstream.engine.stores import open_store
from millstream.model import Batch
from millstream.plan.topology import Topology
from millstream.state import KeyValueRows


class GlobalTables:
    """The global tables of a topology, read-only for tasks. `apply` takes what was read of their topics."""

    def __init__(
        self, topology: Topology, settings: EngineSettings | None = None, outbox: Outbox | None = None
    ) -> None:
        self.metrics = TaskMetrics()
        context, settings = TaskContext(0), settings or EngineSettings()
        self._failures = Failures(
            "of global tables", settings, Outbox({}) if outbox is None else outbox, context, self.metrics
        )
        self.stores: dict[str, KeyValueRows] = {}
        self._by_topic: dict[str, list[KeyValueRows]] = {}
        for table in topology.global_tables:
            rows = open_store(table.store, table.topic)
            assert isinstance(rows, KeyValueRows)
            self.stores[table.store.name] = rows
            self._by_topic.setdefault(table.topic, []).append(rows)

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._by_topic)

    def apply(self, batch: Batch) -> None:
        """Rows of one of the topics, in order; null keys are skipped, what cannot be read as the settings say."""
        for rows in self._by_topic[batch.source.topic]:
            try:
                rows.restore(batch)
            except Exception:  # the loop's edge: whatever a serde raises
                self._apply_singly(rows, batch)

    def _apply_singly(self, rows: KeyValueRows, batch: Batch) -> None:
        """From the first on: to apply a row again in its order changes nothing."""
        for row in range(len(batch)):
            try:
                rows.restore(_one_row(batch, row))
            except Exception as error:  # the loop's edge: whatever a serde raises
                failure = self._failures.undecodable(rows.name, batch, row, error)
                if failure is not None:
                    raise failure from error

    def rows_of(self, topic: str) -> list[KeyValueRows]:
        return self._by_topic[topic]

    def read_only(self) -> Mapping[str, KeyValueRows]:
        return self.stores


def _one_row(batch: Batch, row: int) -> Batch:
    at = slice(row, row + 1)
    return Batch(
        batch.source, batch.offsets[at], batch.timestamps[at], batch.keys[at], batch.values[at], None, batch.next_offset
    )
