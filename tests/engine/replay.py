"""A task replayed: its input cut at random, restarted at random, its stores in memory or on disk."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Protocol

from millstream.engine import Outbox, Task
from millstream.model import TopicPartition
from millstream.plan.internal import TaskSpec
from millstream.state import CacheBudget, TaskDisk
from millstream.state.rocksdb import RocksMemory, RocksTaskDisk
from tests.engine.tasks import Inputs, Log, Outcome, Plan, batch_of
from tests.state.disks import MemoryTaskDisk


class Files(Protocol):
    """The local files of one task."""

    def opened(self) -> TaskDisk: ...

    def lose(self) -> None:
        """A worker on another machine goes on with the task."""


class FilesInMemory:
    """What RocksDB would keep, for many runs."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.lose()

    def opened(self) -> MemoryTaskDisk:
        return self.disk

    def lose(self) -> None:
        self.disk = MemoryTaskDisk(self.names)


class RocksFiles:
    """A folder with a database; a new one when it is lost."""

    def __init__(self, names: list[str], folder: Path) -> None:
        self.names, self.folder, self.number = names, folder, 0
        self.memory = RocksMemory(2_000_000)

    def opened(self) -> RocksTaskDisk:
        return RocksTaskDisk(self.folder / str(self.number), self.names, self.memory)

    def lose(self) -> None:
        self.number += 1


def restore(task: Task, changelog: Log, *, compacted: bool = False) -> None:
    """Each store from where its local files end, a store in memory from the beginning."""
    done = task.checkpoint()
    for target, rows in changelog.written.items():
        first = done.get(target, 0)
        assert first <= len(rows), "the local files are ahead of the changelog"
        last = {row.key: at for at, row in enumerate(rows)}
        kept = [row for at, row in enumerate(rows) if at >= first and (not compacted or last[row.key] == at)]
        task.restore(target, batch_of(target, kept, first, len(rows)))


class Replay:
    """One task under random cuts; with `restarts`, it is closed now and then and goes on as a fresh, restored one.

    With `files` its stores are on disk, under a cache that holds nothing between rounds.
    """

    def __init__(self, plan: Plan, spec: TaskSpec, inputs: Inputs, random: Random, files: Files | None = None) -> None:
        self.plan, self.spec, self.inputs, self.random, self.files = plan, spec, inputs, random, files
        self.cache = CacheBudget(0)
        self.outputs, self.changelog = Log(), Log()
        self.outbox: Outbox = plan.outbox()
        self.added = dict.fromkeys(inputs, 0)
        self.task: Task = self._compiled()
        self.task.start()
        self.committed: dict[TopicPartition, tuple[int, str]] = {}
        self.earlier = (0, 0)

    def run(self, *, restarts: bool = False) -> Outcome:
        while self._more_to_add():
            self._process()
            if restarts and self.random.random() < 0.3:
                self._restart()
        while self._process(rest=True):
            pass
        self._commit()
        self.task.close()
        return Outcome(self.outputs, self.changelog, self._counted())

    def _compiled(self) -> Task:
        disk = None if self.files is None else self.files.opened()
        return self.plan.task(self.spec, self.outbox, disk=disk, cache=self.cache)

    def _counted(self) -> tuple[int, int]:
        return self.earlier[0] + self.task.metrics.records, self.earlier[1] + self.task.metrics.late

    def _more_to_add(self) -> bool:
        """Add a piece of one partition; its end is known only with its last piece."""
        open_ = [source for source, rows in self.inputs.items() if self.added[source] < len(rows)]
        for source, rows in self.inputs.items():
            if not rows:
                self.task.caught_up(source, 0)
        if not open_:
            return False
        source = self.random.choice(open_)
        rows, first = self.inputs[source], self.added[source]
        piece = rows[first : first + self.random.choice((0, 1, 2, 5, 50))]
        self.task.add(batch_of(source, piece, first))
        self.added[source] = first + len(piece)
        if self.added[source] == len(rows):
            self.task.caught_up(source, len(rows))
        return True

    def _process(self, *, rest: bool = False) -> int:
        """One round: up to so many rows, perhaps up to a moment only."""
        up_to = None if rest or self.random.random() < 0.5 else self.random.randrange(120)
        taken = self.task.process(max_rows=self.random.choice((1, 2, 3, 1000)), up_to_ms=up_to, wall_ms=0)
        self.cache.relieve()
        if self.random.random() < 0.5:
            self._commit()
        return taken

    def _commit(self, *, settled: bool = True) -> None:
        """Not settled: it ends between the changelogs' acknowledgement and the write to the local files."""
        self.task.end_round()
        self.outputs.add(self.outbox.drain())
        self.changelog.add(self.task.changelog())
        if settled:
            written = self.changelog.written
            self.task.settle({target: len(written.get(target, ())) for target in self.spec.changelogs})
        self.task.committed()
        self.cache.relieve()

    def _restart(self) -> None:
        self._commit(settled=self.random.random() < 0.7)
        self.committed |= self.task.positions()
        self.earlier = self._counted()
        self.task.close()
        if self.files is not None and self.random.random() < 0.3:
            self.files.lose()
        self.task = self._compiled()
        restore(self.task, self.changelog, compacted=self.random.random() < 0.5)
        self.task.resume({source: metadata for source, (_, metadata) in self.committed.items()})
        self.task.start()
        for source, rows in self.inputs.items():
            self.added[source] = self.committed[source][0] if source in self.committed else 0
            if self.added[source] == len(rows):
                self.task.caught_up(source, len(rows))
