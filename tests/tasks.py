"""All tasks of a program in one thread without a broker: topics are lists, and the caller cuts input into rounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from millstream.engine import EngineSettings, GlobalTables, Outbox, Wiring, compile_task, stores_on_disk
from millstream.engine.task import Task
from millstream.model import Batch, Headers, OutBatch, TopicPartition
from millstream.plan.internal import TaskId, TaskSpec, internal_topics
from millstream.plan.nodes import StoreType
from millstream.plan.topology import Topology
from tests.state.disks import MemoryTaskDisk

Record = tuple[bytes | None, bytes | None, int]  # key, value, timestamp


class Written(NamedTuple):
    """A record as it lies in a partition."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers = ()


class Tasks:
    """The tasks of a topology under the application id `app`, with every topic as lists of records.

    `counts` are the partitions of the topics that the program doesn't make itself. `store` is where stores are kept
    that don't say it; on disk their rows outlive a crash as far as they were committed.
    """

    def __init__(
        self,
        topology: Topology,
        counts: Mapping[str, int],
        settings: EngineSettings | None = None,
        *,
        wall_ms: int = 0,
        store: StoreType = "memory",
    ) -> None:
        self.wall_ms = wall_ms
        self.topics: dict[TopicPartition, list[Written]] = defaultdict(list)
        self._topology = topology
        self._settings = settings or EngineSettings()
        resolved = internal_topics(topology, "app", counts)
        self._counts = {**counts, **{topic.name: topic.partitions for topic in resolved.topics}}
        self.specs: dict[TaskId, TaskSpec] = {spec.id: spec for spec in resolved.tasks}
        self.globals = GlobalTables(topology)
        self._tasks: dict[TaskId, Task] = {}
        self._outboxes: dict[TaskId, Outbox] = {}
        self._read: dict[TopicPartition, int] = defaultdict(int)
        self._committed: dict[TopicPartition, tuple[int, str]] = {}
        stores = {id_: topology.subtopology(id_.subtopology).stores for id_ in self.specs}
        self.disks = {id_: MemoryTaskDisk(stores_on_disk(stores[id_], store)) for id_ in self.specs}
        for id_ in self.specs:
            self._compile(id_)

    def put(self, topic: str, partition: int, record: Record) -> None:
        self.topics[TopicPartition(topic, partition)].append(Written(*record))

    def publish(self, topic: str, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Rows of a global table's topic."""
        keys, values = [key for key, _ in rows], [value for _, value in rows]
        self.globals.apply(
            Batch(TopicPartition(topic, 0), range(len(rows)), [0] * len(rows), keys, values, None, len(rows))
        )

    def behind(self) -> list[TaskId]:
        """The tasks that have input left."""
        return [
            id_
            for id_, spec in self.specs.items()
            if any(self._read[source] < len(self.topics[source]) for source in spec.inputs)
        ]

    def round(self, id_: TaskId, max_rows: int) -> None:
        """One round of a task over up to so many records of each input."""
        task = self._tasks[id_]
        for source in self.specs[id_].inputs:
            start = self._read[source]
            rows = self.topics[source][start : start + max_rows]
            self._read[source] = start + len(rows)
            if rows:
                task.add(_batch(source, start, rows))
            task.caught_up(source, self._read[source])
        while task.process(max_rows=max_rows, up_to_ms=None, wall_ms=self.wall_ms):
            pass
        task.punctuate(self.wall_ms)
        task.end_round()
        self._collect(self._outboxes[id_].drain())

    def commit(self, id_: TaskId) -> None:
        task = self._tasks[id_]
        self._collect(task.changelog())
        task.settle({changelog: len(self.topics[changelog]) for changelog in self.specs[id_].changelogs})
        self._committed.update(task.positions())
        task.committed()

    def crash(self, id_: TaskId) -> None:
        """The task is gone with all that it hadn't committed; another takes its place."""
        self._compile(id_)

    def run(self, max_rows: int = 1_000_000) -> Tasks:
        """Round after round until nothing is left."""
        while behind := self.behind():
            for id_ in behind:
                self.round(id_, max_rows)
        return self

    def read(self, topic: str) -> list[Written]:
        """A topic's records, partition by partition."""
        return [
            row for partition in range(self._counts[topic]) for row in self.topics[TopicPartition(topic, partition)]
        ]

    def metrics(self) -> list[Any]:
        return [task.metrics for task in self._tasks.values()]

    def _compile(self, id_: TaskId) -> None:
        spec = self.specs[id_]
        outbox = self._outboxes[id_] = Outbox(self._counts)
        wiring = Wiring("app", self._settings, outbox, self.globals, self.wall_ms)
        task = compile_task(self._topology.subtopology(id_.subtopology), spec, wiring, self.disks[id_])
        first = task.checkpoint()
        ends = {changelog: len(self.topics[changelog]) for changelog in spec.changelogs}
        ends |= {source: self._committed.get(source, (0, ""))[0] for source in spec.reused}
        for source, end in ends.items():
            start = first.get(source, 0)
            task.restore(source, _batch(source, start, self.topics[source][start:end]))
        task.resume({source: self._committed[source][1] for source in spec.inputs if source in self._committed})
        for source in spec.inputs:
            self._read[source] = self._committed.get(source, (0, ""))[0]
        task.start()
        self._tasks[id_] = task

    def _collect(self, batches: Sequence[OutBatch]) -> None:
        for batch in batches:
            headers = batch.headers or [()] * len(batch)
            self.topics[batch.target] += map(Written, batch.keys, batch.values, batch.timestamps, headers)


def _batch(source: TopicPartition, start: int, rows: Sequence[Written]) -> Batch:
    keys, values, timestamps = ([row[column] for row in rows] for column in range(3))
    headers = [row.headers for row in rows] if any(row.headers for row in rows) else None
    end = start + len(rows)
    return Batch(source, range(start, end), timestamps, keys, values, headers, end)
