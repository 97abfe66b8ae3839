"""A consumer group as the journal keeps it, so that members go on after the broker was restarted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from millstream.broker.groups.consumer.assignors import DEFAULT_ASSIGNOR, Partitions
from millstream.broker.groups.consumer.group import ConsumerGroup
from millstream.broker.groups.consumer.member import ConsumerMember, MemberState, Progress, Subscription

StoredPartitions = tuple[tuple[UUID, tuple[int, ...]], ...]


class StoredMember(msgspec.Struct, frozen=True):
    member_id: str
    instance_id: str | None
    rack_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    topics: tuple[str, ...]
    pattern: str
    assignor: str | None
    epoch: int
    previous_epoch: int
    state: MemberState
    assigned: StoredPartitions
    revoking: StoredPartitions
    target: StoredPartitions


class StoredGroup(msgspec.Struct, frozen=True):
    epoch: int
    assignor: str
    topics: tuple[tuple[UUID, int], ...]
    members: tuple[StoredMember, ...]


def by_topic(partitions: Iterable[tuple[UUID, int]]) -> StoredPartitions:
    """Indexes by topic, in order.

    >>> by_topic([(UUID(int=1), 2), (UUID(int=1), 0)])
    ((UUID('00000000-0000-0000-0000-000000000001'), (0, 2)),)
    """
    found: dict[UUID, list[int]] = {}
    for topic, index in sorted(partitions):
        found.setdefault(topic, []).append(index)
    return tuple((topic, tuple(indexes)) for topic, indexes in found.items())


def flat(stored: Iterable[tuple[UUID, Iterable[int]]]) -> Partitions:
    return frozenset((topic, index) for topic, indexes in stored for index in indexes)


def snapshot(group: ConsumerGroup) -> Any:
    """The group as plain values for JSON."""
    members = tuple(_stored(group, member) for member in group.members.values())
    return msgspec.to_builtins(StoredGroup(group.epoch, group.assignor, tuple(group.topics.items()), members))


def _stored(group: ConsumerGroup, member: ConsumerMember) -> StoredMember:
    progress = member.progress
    return StoredMember(
        member.member_id,
        member.instance_id,
        member.rack_id,
        member.client_id,
        member.client_host,
        member.rebalance_timeout_ms,
        tuple(sorted(member.subscription.topics)),
        member.subscription.pattern,
        member.subscription.assignor,
        progress.epoch,
        progress.previous_epoch,
        progress.state,
        by_topic(progress.assigned),
        by_topic(progress.revoking),
        by_topic(group.targets[member.member_id]),
    )


def restore(group_id: str, value: Any) -> ConsumerGroup:
    """A group from its snapshot."""
    stored = msgspec.convert(value, StoredGroup)
    group = ConsumerGroup(group_id)
    group.epoch, group.assignor = stored.epoch, stored.assignor or DEFAULT_ASSIGNOR
    group.topics = dict(stored.topics)
    for each in stored.members:
        progress = Progress(each.epoch, each.previous_epoch, each.state, flat(each.assigned), flat(each.revoking))
        subscription = Subscription(frozenset(each.topics), each.pattern, each.assignor)
        member = ConsumerMember(
            each.member_id,
            each.instance_id,
            each.rack_id,
            each.client_id,
            each.client_host,
            each.rebalance_timeout_ms,
            subscription,
            progress,
        )
        group.targets[each.member_id] = flat(each.target)
        group.add(member)
    return group
