"""Who has which task, for the world outside: each partition of the tasks topic has the address of its task's owner."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from millstream.model import Batch, OutBatch, TopicPartition

KEY = b"owner"


class Owner(msgspec.Struct, frozen=True):
    """Where the worker answers that has a task, as HOST:PORT."""

    address: str


def owner_record(partition: TopicPartition, address: str, wall_ms: int) -> OutBatch:
    """What tells that the worker at this address has taken the partition's task."""
    return OutBatch(partition, [wall_ms], [KEY], [msgspec.json.encode(Owner(address))])


def owners(batches: Iterable[Batch]) -> dict[TopicPartition, str]:
    """The latest address of each partition that has one. It is a hint: its worker may have ended, or lost the task.

    >>> told = owner_record(TopicPartition("app-tasks", 1), "10.0.0.7:8080", 5)
    >>> owners([Batch(told.target, [0], told.timestamps, told.keys, told.values, None, 1)])
    {TopicPartition(topic='app-tasks', partition=1): '10.0.0.7:8080'}
    """
    found: dict[TopicPartition, str] = {}
    for batch in batches:
        for key, value in zip(batch.keys, batch.values, strict=True):
            if key == KEY and value is not None:
                found[batch.source] = msgspec.json.decode(value, type=Owner).address
    return found
