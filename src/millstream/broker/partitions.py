"""The partitions that are served: each one's log, and who waits for more of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from millstream.broker.log.blob import FileFolder, Folder, MemoryFolder, Written, nothing_more
from millstream.broker.log.partition import PartitionLog
from millstream.broker.topics.catalogue import Catalogue, Topic
from millstream.broker.topics.configs import log_settings
from millstream.model import TopicPartition

Watcher = Callable[[int], None]
"""Called with the number of bytes that were appended."""
DELETED = 1 << 62
"""Told instead of a number of bytes when the partition is gone: enough for whoever waits."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How logs are opened: what their files do after each append, whether what they noted is believed, and what topics
    are configured with that say nothing themselves.
    """

    written: Written = nothing_more
    trusted: bool = False
    topic_defaults: Mapping[str, str] = field(default_factory=dict)


LET_BE = Opening()


class Partition:
    """A log and its watchers (waiting fetches)."""

    __slots__ = ("log", "watchers")

    def __init__(self, log: PartitionLog) -> None:
        self.log = log
        self.watchers: dict[int, Watcher] = {}

    def notify(self, size: int) -> None:
        """Tell the watchers; each may remove itself while it is told."""
        for watcher in list(self.watchers.values()):
            watcher(size)


class Partitions:
    """The open partitions of every topic in the catalogue, in files below `folder`, or in memory if it is None.

    Folders that belong to no topic (a crash in the middle of a deletion) are removed. Raises OSError.
    """

    def __init__(self, catalogue: Catalogue, folder: Path | None, opening: Opening = LET_BE) -> None:
        self._catalogue = catalogue
        self.folder = folder
        self._opening = opening
        self._open: dict[tuple[str, int], Partition] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._remove_orphans(folder)
        for topic in catalogue.topics():
            self.add(topic)

    def get(self, topic: str, partition: int) -> Partition | None:
        return self._open.get((topic, partition))

    def all(self) -> list[Partition]:
        return list(self._open.values())

    def add(self, topic: Topic) -> None:
        """Open the partitions of a new or grown topic that are not open yet."""
        settings = log_settings({**self._opening.topic_defaults, **topic.configs})
        for index in range(topic.partitions):
            if (topic.name, index) not in self._open:
                name = TopicPartition(topic.name, index)
                start = self._catalogue.start_offset(name)
                log = PartitionLog(str(name), self._home(name), settings, start, trusted=self._opening.trusted)
                self._open[name] = Partition(log)

    def configure(self, topic: Topic) -> None:
        """Let the topic's logs know its changed configuration."""
        settings = log_settings({**self._opening.topic_defaults, **topic.configs})
        for index in range(topic.partitions):
            self._open[topic.name, index].log.settings = settings

    def default(self, topic_defaults: Mapping[str, str]) -> None:
        """Let all logs know what topics are configured with now that say nothing themselves."""
        self._opening = replace(self._opening, topic_defaults=topic_defaults)
        for topic in self._catalogue.topics():
            self.configure(topic)

    def remove(self, topic: Topic) -> None:
        """Delete the topic's logs; waiting fetches are told, and find it gone."""
        names = [(topic.name, index) for index in range(topic.partitions)]
        gone = [self._open.pop(name) for name in names if name in self._open]
        for partition in gone:
            partition.log.destroy()
        for partition in gone:
            partition.notify(DELETED)

    def close(self) -> None:
        for partition in self._open.values():
            partition.log.close()

    def _home(self, name: TopicPartition) -> Folder:
        return MemoryFolder() if self.folder is None else FileFolder(self.folder / str(name), self._opening.written)

    def _remove_orphans(self, folder: Path) -> None:
        owned = {
            str(TopicPartition(topic.name, index))
            for topic in self._catalogue.topics()
            for index in range(topic.partitions)
        }
        for path in folder.iterdir():
            if path.is_dir() and path.name not in owned:
                FileFolder(path).destroy()
