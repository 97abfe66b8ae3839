"""The tasks topic: which task each of its partitions stands for, and of which plan. Append-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from millstream.errors import PlanMismatchError, StateError
from millstream.model import Batch, OutBatch, TopicPartition
from millstream.plan.internal import TaskSpec

CONFIG = {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
KEY_PREFIX = b"task:"  # the fingerprint follows, so that compaction leaves the first plan's record beside a later one's


def tasks_topic(app_id: str) -> str:
    """The topic whose partitions the group shares out.

    >>> tasks_topic("qos")
    'qos-tasks'
    """
    return f"{app_id}-tasks"


class Claim(msgspec.Struct, frozen=True):
    """What a partition says: it stands for this task of this plan."""

    task: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class TaskTable:
    """The plan's tasks by their partition of the tasks topic."""

    topic: str
    fingerprint: str
    tasks: Mapping[TopicPartition, TaskSpec]

    @staticmethod
    def of(app_id: str, fingerprint: str, tasks: Sequence[TaskSpec]) -> TaskTable:
        topic = tasks_topic(app_id)
        return TaskTable(topic, fingerprint, {TopicPartition(topic, i): task for i, task in enumerate(tasks)})

    def check(self, found: Mapping[TopicPartition, Claim]) -> None:
        """Refuse to run beside, or after, another plan."""
        for partition, claim in sorted(found.items()):
            if claim.fingerprint != self.fingerprint:
                raise PlanMismatchError(
                    f"topic {self.topic} belongs to another version of this program (plan {claim.fingerprint}, ours is "
                    f"{self.fingerprint}): its state and tasks do not fit. Run that version, or give this one a new "
                    "application id"
                )
            expected = self.tasks.get(partition)
            if expected is None or claim.task != str(expected.id):
                ours = "none" if expected is None else str(expected.id)
                raise PlanMismatchError(
                    f"{partition} stands for task {claim.task}, but here it would be {ours}: the number of partitions "
                    "of a source topic has changed. Give the program a new application id, or restore the number"
                )

    def missing(self, found: Mapping[TopicPartition, Claim]) -> list[OutBatch]:
        """Records that claim the partitions nobody has claimed yet."""
        return [
            OutBatch(
                partition,
                [1],
                [KEY_PREFIX + self.fingerprint.encode()],
                [msgspec.json.encode(Claim(str(spec.id), self.fingerprint))],
            )
            for partition, spec in self.tasks.items()
            if partition not in found
        ]

    def task_of(self, partition: TopicPartition) -> TaskSpec:
        return self.tasks[partition]


def claims(batches: Sequence[Batch]) -> dict[TopicPartition, Claim]:
    """The first claim of each partition: of workers that start at once, the first to write decides."""
    found: dict[TopicPartition, Claim] = {}
    for batch in batches:
        for key, value in zip(batch.keys, batch.values, strict=True):
            if key is None or value is None or not key.startswith(KEY_PREFIX):
                continue
            try:
                found.setdefault(batch.source, msgspec.json.decode(value, type=Claim))
            except msgspec.DecodeError as error:
                raise StateError(f"{batch.source} holds something that is not a task: {error}") from error
    return found
