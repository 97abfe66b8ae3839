"""Tasks without a worker: their inputs as lists of rows, their outputs and changelogs collected by partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from millstream.dsl.program import Program
from millstream.engine import EngineSettings, GlobalTables, Outbox, Task, Wiring, compile_task, stores_on_disk
from millstream.model import Batch, Headers, OutBatch, TopicPartition
from millstream.plan.internal import Resolved, TaskSpec, internal_topic, internal_topics
from millstream.plan.topology import Topology
from millstream.state import CacheBudget, TaskDisk

APP = "app"


class Row(NamedTuple):
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers = ()


Rows = list[Row]
Inputs = dict[TopicPartition, Rows]


def batch_of(source: TopicPartition, rows: Sequence[Row], first: int = 0, next_offset: int | None = None) -> Batch:
    """Rows as a batch whose first offset is `first`."""
    headers = [row.headers for row in rows] if any(row.headers for row in rows) else None
    return Batch(
        source,
        range(first, first + len(rows)),
        [row.timestamp for row in rows],
        [row.key for row in rows],
        [row.value for row in rows],
        headers,
        first + len(rows) if next_offset is None else next_offset,
    )


def rows_of(batch: OutBatch) -> Rows:
    headers = batch.headers or [()] * len(batch)
    return [Row(*row) for row in zip(batch.keys, batch.values, batch.timestamps, headers, strict=True)]


@dataclass
class Log:
    """What was written, by partition."""

    written: Inputs = field(default_factory=dict)

    def add(self, batches: Iterable[OutBatch]) -> None:
        for batch in batches:
            self.written.setdefault(batch.target, []).extend(rows_of(batch))

    def compacted(self) -> Inputs:
        """The last row of each key, in the order of these, deletes included."""
        kept: Inputs = {}
        for target, rows in self.written.items():
            last = {row.key: at for at, row in enumerate(rows)}
            kept[target] = [rows[at] for at in sorted(last.values())]
        return kept


class Plan:
    """A program with its partition counts: what its tasks are compiled from."""

    def __init__(self, program: Program, counts: Mapping[str, int], *, settings: EngineSettings | None = None) -> None:
        self.topology: Topology = program.topology()
        self.counts = dict(counts)
        self.settings = settings or EngineSettings()
        self.resolved: Resolved = internal_topics(self.topology, APP, counts)
        self.counts |= {topic.name: topic.partitions for topic in self.resolved.topics}
        self.global_rows: dict[str, Rows] = {}

    def task(
        self,
        spec: TaskSpec,
        outbox: Outbox,
        *,
        wall_ms: int = 0,
        disk: TaskDisk | None = None,
        cache: CacheBudget | None = None,
    ) -> Task:
        tables = GlobalTables(self.topology)
        for topic, rows in self.global_rows.items():
            tables.apply(batch_of(TopicPartition(topic, 0), rows))
        wiring = Wiring(APP, self.settings, outbox, tables, wall_ms, cache=cache)
        return compile_task(self.topology.subtopology(spec.id.subtopology), spec, wiring, disk)

    def on_disk(self, spec: TaskSpec) -> list[str]:
        """The stores of a task that RocksDB takes."""
        return stores_on_disk(self.topology.subtopology(spec.id.subtopology).stores, "rocksdb")

    def outbox(self) -> Outbox:
        return Outbox(self.counts)

    def only_task(self, *, wall_ms: int = 0) -> tuple[Task, Outbox]:
        """The task of a program that has one, started."""
        outbox = self.outbox()
        (spec,) = self.resolved.tasks
        task = self.task(spec, outbox, wall_ms=wall_ms)
        task.start()
        return task, outbox

    def feeds(self, spec: TaskSpec) -> set[str]:
        """The repartition topics that a task reads."""
        internal = {internal_topic(APP, name) for name in self.topology.repartition_topics}
        return {source.topic for source in spec.inputs if source.topic in internal}

    def written_by(self, spec: TaskSpec) -> set[str]:
        sinks = self.topology.subtopology(spec.id.subtopology).sinks
        return {internal_topic(APP, sink.topic) for sink in sinks if sink.internal}


@dataclass
class Outcome:
    """What a task put out, its changelog, and its counters of records and of late ones."""

    outputs: Log
    changelog: Log
    counted: tuple[int, int]


def one_record_rounds(plan: Plan, spec: TaskSpec, inputs: Inputs) -> Outcome:
    """The reference: all input is there, each record is a round of its own, with a commit after it."""
    outbox, outputs, changelog = plan.outbox(), Log(), Log()
    task = plan.task(spec, outbox)
    task.start()
    for source, rows in inputs.items():
        for offset, row in enumerate(rows):
            task.add(batch_of(source, [row], offset))
        task.caught_up(source, len(rows))
    while task.process(max_rows=1, up_to_ms=None, wall_ms=0):
        task.end_round()
        outputs.add(outbox.drain())
        changelog.add(task.changelog())
        task.committed()
    task.end_round()
    outputs.add(outbox.drain())
    changelog.add(task.changelog())
    task.close()
    return Outcome(outputs, changelog, (task.metrics.records, task.metrics.late))
