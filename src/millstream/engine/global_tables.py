"""Global tables and stores: topics that every worker holds whole, kept up to date beside the tasks (K18, K19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millstream.engine.context import TaskContext
from millstream.engine.failures import Failures
from millstream.engine.global_store import GlobalStoreKeeper
from millstream.engine.metrics import TaskMetrics
from millstream.engine.outbox import Outbox
from millstream.engine.settings import EngineSettings
from millstream.engine.stores import Rows, open_store
from millstream.model import Batch
from millstream.plan.nodes import GlobalTable, StoreSpec
from millstream.plan.topology import Topology
from millstream.serde import Serde
from millstream.state import KeyValueRows


class TableKeeper:
    """Keeps a global table as its topic is."""

    def __init__(self, rows: KeyValueRows, failures: Failures) -> None:
        self._rows = rows
        self._failures = failures
        self.serdes: tuple[Serde[Any], Serde[Any]] = (rows.key, rows.value)  # of this topic already

    def apply(self, batch: Batch) -> None:
        """Null keys are skipped; what cannot be read is treated as the settings say."""
        try:
            self._rows.restore(batch)
        except Exception:  # the loop's edge: whatever a serde raises
            self._apply_singly(batch)

    def _apply_singly(self, batch: Batch) -> None:
        """From the first on: to apply a row again in its order changes nothing."""
        for row in range(len(batch)):
            try:
                self._rows.restore(_one_row(batch, row))
            except Exception as error:  # the loop's edge: whatever a serde raises
                failure = self._failures.undecodable(self._rows.name, batch, row, error)
                if failure is not None:
                    raise failure from error

    def close(self) -> None:
        """Nothing is open."""


class GlobalTables:
    """The global tables and stores of a topology, read-only for tasks. `apply` takes what was read of their topics."""

    def __init__(
        self,
        topology: Topology,
        settings: EngineSettings | None = None,
        outbox: Outbox | None = None,
        *,
        app_id: str = "",
    ) -> None:
        self.metrics = TaskMetrics()
        self.stores: dict[str, Rows] = {}
        self.specs: dict[str, StoreSpec] = {table.store.name: table.store for table in topology.global_tables}
        self._keepers: dict[str, list[TableKeeper | GlobalStoreKeeper]] = {}
        outbox = Outbox({}) if outbox is None else outbox
        failures = Failures("of global tables", settings or EngineSettings(), outbox, TaskContext(0), self.metrics)
        for table in topology.global_tables:
            rows = self.stores[table.store.name] = open_store(table.store, table.topic)
            self._keepers.setdefault(table.topic, []).append(_keeper(table, rows, failures, app_id))

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._keepers)

    def apply(self, batch: Batch) -> None:
        """Rows of one of the topics, in order."""
        for keeper in self._keepers[batch.source.topic]:
            keeper.apply(batch)

    def serdes_of(self, topic: str) -> tuple[Serde[Any], Serde[Any]]:
        """Those of the topic's keys and values."""
        return self._keepers[topic][0].serdes

    def read_only(self) -> Mapping[str, Rows]:
        return self.stores

    def close(self) -> None:
        """Close the processors that keep stores."""
        for keepers in self._keepers.values():
            for keeper in keepers:
                keeper.close()


def _keeper(table: GlobalTable, rows: Rows, failures: Failures, app_id: str) -> TableKeeper | GlobalStoreKeeper:
    if table.supplier is not None:
        return GlobalStoreKeeper(table, rows, failures, app_id)
    assert isinstance(rows, KeyValueRows)
    return TableKeeper(rows, failures)


def _one_row(batch: Batch, row: int) -> Batch:
    at = slice(row, row + 1)
    return Batch(
        batch.source, batch.offsets[at], batch.timestamps[at], batch.keys[at], batch.values[at], None, batch.next_offset
    )
