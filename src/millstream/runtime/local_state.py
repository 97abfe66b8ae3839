"""A worker's stores on disk: which folder is whose, what its database is opened with, and whether it still fits."""

from __future__ import annotations

import logging
import resource
from collections.abc import Mapping, Sequence
from functools import cache

from millstream.config import Settings
from millstream.engine import stores_on_disk
from millstream.errors import StateError
from millstream.model import TopicPartition
from millstream.plan.internal import TaskId, changelog_topic
from millstream.plan.topology import SubTopology, Topology
from millstream.state import CacheBudget, TaskDisk
from millstream.state.folder import TaskFolder
from millstream.state.rocksdb import RocksMemory, RocksTaskDisk

LOG = logging.getLogger("millstream.runtime")

FILES = 65_536

Marks = Mapping[TopicPartition, tuple[int, int]]  # first offset and end offset of each changelog


class LocalState:
    """The folders of one application on this machine, and the memory that one worker's stores on disk share.

    `topic_ids` are those of the changelogs, as far as the broker tells: files of a changelog that was deleted and made
    anew are of no use, whatever their offsets say.
    """

    def __init__(self, settings: Settings, topic_ids: Mapping[str, str] | None = None) -> None:
        self._app_id = settings.application_id
        self._root = settings.state_dir / "stores" / settings.application_id  # the embedded broker lives beside them
        self._default = settings.store
        self._ids = topic_ids or {}
        self._memory = RocksMemory(settings.rocksdb_memory)
        self.budget = CacheBudget(settings.cache)

    def names(self, sub: SubTopology) -> Sequence[str]:
        """The stores of a sub-topology that want a disk."""
        return stores_on_disk(sub.stores, self._default)

    def folder(self, task: TaskId) -> TaskFolder:
        return TaskFolder(self._root / str(task))

    def open(self, folder: TaskFolder, sub: SubTopology) -> TaskDisk:
        """The stores of a task whose folder is locked. A database that is broken, or of other topics, is set aside."""
        ids = {store: self._ids[topic] for store, topic in changelogs(self._app_id, sub).items() if topic in self._ids}
        disk = self._opened(folder, sub)
        strange = [store for store, topic_id in disk.topics().items() if ids.get(store, topic_id) != topic_id]
        if strange:
            disk.close()
            aside = folder.set_aside()
            LOG.warning(
                "%s has the store %s of a changelog that was deleted and made anew: it is set aside as %s; its stores "
                "are restored from their changelogs",
                folder.database,
                strange[0],
                aside,
            )
            disk = self._opened(folder, sub)
        batch = disk.batch()
        for store in disk.names:
            if store in ids:
                batch.topic(store, ids[store])
        disk.write(batch)
        return disk

    def _opened(self, folder: TaskFolder, sub: SubTopology) -> TaskDisk:
        names = self.names(sub)
        allow_files()
        try:
            return RocksTaskDisk(folder.database, names, self._memory)
        except StateError as error:
            aside = folder.set_aside()
            LOG.warning("%s: it is set aside as %s; its stores are restored from their changelogs", error, aside)
            return RocksTaskDisk(folder.database, names, self._memory)


@cache
def allow_files() -> None:
    """A database has about ten files open, more when it is large; many systems begin with a limit of 1024 for a process
    and let it raise that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def changelogs(app_id: str, sub: SubTopology) -> dict[str, str]:
    """The topic that is the changelog of each store."""
    return {store.name: store.source_topic or changelog_topic(app_id, store.name) for store in sub.stores}


def changelogs_on_disk(topology: Topology, settings: Settings) -> list[str]:
    """The topics that local files are made of."""
    return [
        topic
        for sub in topology.subtopologies
        for store, topic in changelogs(settings.application_id, sub).items()
        if store in stores_on_disk(sub.stores, settings.store)
    ]


def misfit(checkpoint: Mapping[TopicPartition, int], marks: Marks) -> str | None:
    """What speaks against going on from local stores that have their changelogs up to these offsets (rule X7).

    >>> log = TopicPartition("app-s-changelog", 0)
    >>> misfit({log: 7}, {log: (0, 5)})
    'the local store has app-s-changelog-0 up to offset 7, but it ends at 5: it was truncated or made anew'
    """
    for changelog, offset in checkpoint.items():
        begin, end = marks[changelog]
        if offset > end:
            return (
                f"the local store has {changelog} up to offset {offset}, but it ends at {end}: it was truncated or "
                "made anew"
            )
        if offset < begin:
            return (
                f"the local store has {changelog} up to offset {offset}, but it begins at {begin}: records that the "
                "store lacks are gone"
            )
    return None
