"""An application put back to its beginning: what there is of it, on the cluster and on this machine, is deleted."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from millstream.client.cluster import Caller, Groups, Position, Positions, Topics
from millstream.errors import ConfigError, KafkaError
from millstream.model import TopicPartition
from millstream.runtime.task_table import tasks_topic

NO_SUCH_GROUP = 69

_INTERNAL = re.compile(
    r".+-(changelog|repartition|subscription-(registration|response)-topic)"
    r"|(.+-)?KTABLE-FK-JOIN-SUBSCRIPTION-(REGISTRATION|RESPONSE)-\d+-topic"
)


@dataclass(frozen=True, slots=True)
class ResetPlan:
    """What a reset does: where inputs are read from afterwards, which topics and which folder are deleted.

    `before` are the offsets that are committed now; those of deleted topics go with the group.
    """

    application_id: str
    before: Mapping[TopicPartition, int]
    offsets: Mapping[TopicPartition, int]
    topics: tuple[str, ...]
    folder: Path | None


def internal_topics_of(application_id: str, topics: Sequence[str]) -> tuple[str, ...]:
    """The topics that the application made for itself, by the form of their names (rules N1-N3).

    An application whose id begins with this one's and a hyphen has topics of such names too; it is known by its tasks
    topic, and left alone.

    >>> topics = ["qos-tasks", "qos-counts-changelog", "qos-alerts", "qos-eu-tasks", "qos-eu-s-changelog"]
    >>> internal_topics_of("qos", topics)
    ('qos-counts-changelog', 'qos-tasks')
    """
    prefix = f"{application_id}-"
    others = tuple(
        name.removesuffix("tasks")
        for name in topics
        if name.startswith(prefix) and name.endswith("-tasks") and name != tasks_topic(application_id)
    )
    mine = [name for name in topics if name.startswith(prefix) and not name.startswith(others)]
    found = [
        name for name in mine if name == tasks_topic(application_id) or _INTERNAL.fullmatch(name.removeprefix(prefix))
    ]
    return tuple(sorted(found))


class Reset:
    """Plans and does it."""

    def __init__(self, caller: Caller, application_id: str, state_dir: Path) -> None:
        self._caller = caller
        self._groups = Groups(caller)
        self._application_id = application_id
        self._folder = state_dir / "stores" / application_id

    def planned(self, inputs: Sequence[str], to: Position) -> ResetPlan:
        """What it would do. Without `inputs`: every topic that has offsets of the application and is not its own.

        Raises ConfigError while workers run, and where there is nothing of such an application.
        """
        self._refuse_running()
        known = Topics(self._caller).list()
        internal = internal_topics_of(self._application_id, list(known))
        before = self._groups.committed(self._application_id)
        folder = self._folder if self._folder.is_dir() else None
        if not internal and not before and folder is None:
            raise ConfigError(
                f"there is nothing of an application {self._application_id!r}: no topics, no offsets, no local state"
            )
        wanted = list(inputs) or sorted({source.topic for source in before} - set(internal))
        counts = self._caller.partitions(wanted) if wanted else {}
        positions = Positions(self._caller)
        spans = positions.bounds(TopicPartition(name, at) for name, count in counts.items() for at in range(count))
        return ResetPlan(self._application_id, before, positions.resolve(to, spans, before), internal, folder)

    def execute(self, plan: ResetPlan) -> None:
        """Do it: the folder, the topics, the group, and then its offsets anew.

        The group is deleted because offsets of deleted topics would be those of their successors.
        """
        self._refuse_running()
        if plan.folder is not None:
            shutil.rmtree(plan.folder)
        if plan.topics:
            Topics(self._caller).delete(plan.topics)
        if plan.before:
            self._groups.delete([self._application_id])
        if plan.offsets:
            self._groups.reset(self._application_id, plan.offsets)

    def _refuse_running(self) -> None:
        try:
            members = self._groups.describe(self._application_id).members
        except KafkaError as error:
            if error.code != NO_SUCH_GROUP:
                raise
            return
        if members:
            raise ConfigError(
                f"{self._application_id} has {len(members)} workers running; stop them first. One that was killed is "
                "gone from the group after its session timeout"
            )
