"""One consumer group of the new protocol: its members, the target of all and the progress of each.

Pure. Every change of members, subscriptions or topics raises the group's epoch and makes a new target; members are
led to it one heartbeat at a time, and a partition is given on only when its owner has let go of it. States, as Kafka
names them: Empty, Reconciling (somebody is on the way), Stable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Protocol
from uuid import UUID

from millstream.broker.groups.consumer.assignors import ASSIGNORS, DEFAULT_ASSIGNOR, Partitions, Wish
from millstream.broker.groups.consumer.member import (
    NO_PARTITIONS,
    ConsumerMember,
    MemberState,
    Progress,
    Subscription,
    reconciled,
)
from millstream.broker.patterns import compiled


class GroupState(Enum):
    EMPTY = "Empty"
    RECONCILING = "Reconciling"
    STABLE = "Stable"


class KnownTopic(Protocol):
    """What a group needs to know of a topic."""

    @property
    def name(self) -> str: ...

    @property
    def topic_id(self) -> UUID: ...

    @property
    def partitions(self) -> int: ...


class ConsumerGroup:
    """Members by id. The group's epoch, which is also its target's, only grows."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = 0
        self.assignor = DEFAULT_ASSIGNOR
        self.members: dict[str, ConsumerMember] = {}
        self.static: dict[str, str] = {}
        """Member id by group instance id."""
        self.targets: dict[str, Partitions] = {}
        self.topics: dict[UUID, int] = {}
        """The topics that members are subscribed to, and how many partitions they had when the target was made."""
        self.topics_version = -1
        """Of all topics there are, when the group last looked at them."""
        self._owners: dict[tuple[UUID, int], str] = {}
        self._subscribed: dict[Subscription, frozenset[UUID]] = {}

    @property
    def state(self) -> GroupState:
        if not self.members:
            return GroupState.EMPTY
        calm = all(
            member.progress.epoch == self.epoch and member.progress.state is MemberState.STABLE
            for member in self.members.values()
        )
        return GroupState.STABLE if calm else GroupState.RECONCILING

    def add(self, member: ConsumerMember) -> None:
        self.members[member.member_id] = member
        self.targets.setdefault(member.member_id, NO_PARTITIONS)
        if member.instance_id is not None:
            self.static[member.instance_id] = member.member_id
        self._own(member.member_id, member.progress.held)

    def remove(self, member_id: str) -> None:
        """What the member had is free from now on."""
        member = self.members.pop(member_id)
        self.targets.pop(member_id, None)
        if member.instance_id is not None and self.static.get(member.instance_id) == member_id:
            del self.static[member.instance_id]
        self._disown(member_id, member.progress.held)

    def rename(self, member: ConsumerMember, member_id: str) -> None:
        """A static member came back with a new id: it takes the place, and the partitions, of the one it was."""
        target = self.targets[member.member_id]
        self.remove(member.member_id)
        member.member_id = member_id
        self.targets[member_id] = target
        self.add(member)

    def look_at(self, topics: Mapping[str, KnownTopic], version: int) -> None:
        """Find which topics the members' subscriptions mean now; a change makes a new target."""
        self._subscribed.clear()
        self.topics_version = version
        wanted: dict[UUID, int] = {}
        for subscription in {member.subscription for member in self.members.values()}:
            found = [topics[name] for name in subscription.topics if name in topics]
            if subscription.pattern:
                matches = compiled(subscription.pattern).fullmatch
                found += [topic for name, topic in topics.items() if matches(name)]
            self._subscribed[subscription] = frozenset(topic.topic_id for topic in found)
            wanted.update((topic.topic_id, topic.partitions) for topic in found)
        if wanted != self.topics:
            self.topics = wanted
            self.retarget()

    def retarget(self) -> None:
        """A new epoch, and what each member is to have in it."""
        self.epoch += 1
        votes = Counter(each.subscription.assignor for each in self.members.values() if each.subscription.assignor)
        self.assignor = votes.most_common(1)[0][0] if votes else DEFAULT_ASSIGNOR
        wishes = {
            name: Wish(
                self._subscribed.get(member.subscription, frozenset()), self.targets[name], member.instance_id or name
            )
            for name, member in self.members.items()
        }
        self.targets = ASSIGNORS[self.assignor](wishes, self.topics)

    def advance(self, member: ConsumerMember, owned: Partitions | None) -> bool:
        """Let the member take its next step; whether it took one."""
        member_id = member.member_id

        def free(wanted: Partitions) -> Partitions:
            return frozenset(each for each in wanted if self._owners.get(each, member_id) == member_id)

        after = reconciled(member.progress, self.targets[member_id], self.epoch, owned, free)
        if after == member.progress:
            return False
        self.set_progress(member, after)
        return True

    def set_progress(self, member: ConsumerMember, progress: Progress) -> None:
        self._disown(member.member_id, member.progress.held - progress.held)
        self._own(member.member_id, progress.held)
        member.since = {each: member.since.get(each, progress.epoch) for each in progress.assigned}
        member.progress = progress

    def _own(self, member_id: str, partitions: Partitions) -> None:
        for partition in partitions:
            self._owners[partition] = member_id

    def _disown(self, member_id: str, partitions: Partitions) -> None:
        for partition in partitions:
            if self._owners.get(partition) == member_id:
                del self._owners[partition]
