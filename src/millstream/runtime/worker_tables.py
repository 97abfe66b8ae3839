"""The global tables of a worker, read before its tasks are opened (rule K18)."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.client.contract import DataConsumer
from millstream.config import Settings
from millstream.engine import EngineSettings, GlobalTables, Outbox
from millstream.model import Batch, TopicPartition
from millstream.plan.topology import Topology
from millstream.runtime.intake import Intake


class WorkerTables:
    """The worker's global tables: read from the beginning, complete when the first ends were seen, kept up to date."""

    def __init__(self, topology: Topology, counts: Mapping[str, int], settings: Settings, outbox: Outbox) -> None:
        self.tables = GlobalTables(topology, engine_settings(settings), outbox, app_id=settings.application_id)
        self.partitions = [
            TopicPartition(topic, number) for topic in self.tables.topics for number in range(counts[topic])
        ]
        self._unread = set(self.partitions)

    @property
    def complete(self) -> bool:
        return not self._unread

    def open(self, intake: Intake, data: DataConsumer, limit_ms: int) -> None:
        """Begin to read; an empty partition is complete at once, without the wait of a fetch that finds nothing."""
        marks = {source: data.watermarks(source, timeout_ms=limit_ms) for source in self.partitions}
        self._unread = {source for source, (begin, end) in marks.items() if begin < end}
        intake.open(self, {source: begin for source, (begin, _) in marks.items()})

    def take(self, batch: Batch) -> None:
        self.tables.apply(batch)

    def ended(self, source: TopicPartition, offset: int) -> None:
        self._unread.discard(source)


def engine_settings(settings: Settings) -> EngineSettings:
    return EngineSettings(
        on_decode_error=settings.on_decode_error,
        on_error=settings.on_error,
        on_send_error=settings.on_send_error,
        on_bad_time=settings.on_bad_time,
        dead_letters=settings.dead_letters,
        wait_for_inputs_ms=settings.wait_for_inputs_ms,
        retention_rule=settings.retention_rule,
        emit_interval_ms=settings.emit_interval_ms,
        idle_after_ms=settings.idle_after_ms if settings.idle == "wall-clock" else None,
    )
