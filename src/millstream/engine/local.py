"""A task's stores on disk: opened, restored, and written together once their changelogs have what they tell."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.engine.stores import DiskRows, Rows, open_store
from millstream.model import Batch
from millstream.plan.nodes import StoreSpec
from millstream.state import CacheBudget, Changes, TaskDisk


class LocalStores:
    """Those stores of one task that its disk knows."""

    def __init__(self, disk: TaskDisk, budget: CacheBudget | None) -> None:
        self._disk = disk
        self._budget = budget
        self._rows: dict[str, DiskRows] = {}
        self._taken: dict[str, list[Changes]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def open(self, spec: StoreSpec, topic: str) -> Rows:
        """A store with that changelog, over its disk or in memory where it has none."""
        if spec.name not in self._disk.names:
            return open_store(spec, topic)
        rows = open_store(spec, topic, self._disk.store(spec.name))
        assert isinstance(rows, DiskRows)
        self._rows[spec.name] = rows
        if self._budget is not None:
            self._budget.add(rows)
        return rows

    def offsets(self) -> Mapping[str, int]:
        """By store, the offset in its changelog from which on it lacks the records; none for an empty store."""
        return self._disk.offsets()

    def restore(self, name: str, batch: Batch) -> None:
        """Put changelog records on disk."""
        into = self._disk.batch()
        self._rows[name].write(batch, into.store(name))
        into.offset(name, batch.next_offset)
        self._disk.write(into)

    def empty(self, offsets: Mapping[str, int]) -> None:
        """Delete all rows of these stores, whose changelogs are to be read again from there; then make them anew."""
        into = self._disk.batch()
        for name, offset in offsets.items():
            last = next(self._disk.store(name).scan(b"", None, reverse=True), None)
            if last is not None:
                into.store(name).delete_range(b"", last[0] + b"\0")
            into.offset(name, offset)
        self._disk.write(into)

    def restored(self) -> None:
        """The disk has everything."""
        for rows in self._rows.values():
            rows.opened()

    def taken(self, name: str, changes: Changes) -> None:
        """A store's changes are on their way to its changelog; a commit that is given up leaves them to the next."""
        self._taken.setdefault(name, []).append(changes)

    def settle(self, offsets: Mapping[str, int]) -> None:
        """The changelogs have what was taken: put it on disk, with the offsets that they have come to."""
        if not self._taken and not offsets:
            return
        into = self._disk.batch()
        for name, taken in self._taken.items():
            for changes in taken:
                self._rows[name].write(changes, into.store(name))
        for name, offset in offsets.items():
            into.offset(name, offset)
        self._disk.write(into)
        for name in self._taken:
            self._rows[name].written()
        self._taken.clear()

    def close(self) -> None:
        if self._budget is not None:
            for rows in self._rows.values():
                self._budget.remove(rows)
        self._rows.clear()
        self._disk.close()
