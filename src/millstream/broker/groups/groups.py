"""All groups by id, of either protocol, and what is common to both: who may commit, expiry, deletion.

A group is of the protocol of its members. One without members becomes of the other kind when a member of that joins;
while it has members, those of the other protocol are refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kio.schema.errors import ErrorCode

from millstream.broker.dynamic import DynamicConfigs
from millstream.broker.groups.consumer.coordinator import ConsumerGroups, Topics
from millstream.broker.groups.consumer.member import may_commit
from millstream.broker.groups.coordinator import Coordinator
from millstream.broker.groups.group import State
from millstream.broker.groups.offsets import CommittedOffsets
from millstream.broker.groups.subscription import CONSUMER, subscribed_topics
from millstream.broker.journal import Journal
from millstream.broker.settings import DEFAULTS, BrokerSettings
from millstream.broker.timers import Timers
from millstream.model import TopicPartition

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Committer:
    """Who commits or asks for offsets. `epoch` is the generation of a classic member; below 0 it is nobody's."""

    group_id: str
    member_id: str = ""
    instance_id: str | None = None
    epoch: int = -1


class Groups:
    """Classic and consumer groups, and the offsets that they have committed."""

    def __init__(
        self,
        journal: Journal,
        timers: Timers,
        new_id: Callable[[], str],
        topics: Topics,
        settings: BrokerSettings = DEFAULTS,
        configs: DynamicConfigs | None = None,
    ) -> None:
        self.offsets = CommittedOffsets(journal)
        self.classic = Coordinator(journal, timers, new_id, settings)
        self.consumer = ConsumerGroups(journal, timers, topics, settings, configs)
        self._topics = topics
        self._empty_since: dict[str, int] = {}
        """Time of day at which a group was first seen without members."""

    def restore(self, now_ms: float) -> None:
        """Bring back the groups as they were when the broker ended; every session begins anew."""
        self.classic.restore(now_ms)
        self.consumer.restore(now_ms)
        for group_id in self.offsets.groups():
            self.know(group_id)

    def __len__(self) -> int:
        return len(self.classic) + len(self.consumer)

    def exists(self, group_id: str) -> bool:
        return self.classic.get(group_id) is not None or self.consumer.get(group_id) is not None

    def know(self, group_id: str) -> None:
        """Make the group if it is new: a commit without membership makes a classic one."""
        if self.consumer.get(group_id) is None:
            self.classic.known(group_id)

    # --- of which kind a group is

    def become_classic(self, group_id: str) -> ErrorCode | None:
        """Why members of the classic protocol may not join; a consumer group without members is let go for them."""
        group = self.consumer.get(group_id)
        if group is not None and group.members:
            return ErrorCode.inconsistent_group_protocol
        return None if group is None else _let_go(self.consumer.forget, group_id)

    def become_consumer(self, group_id: str) -> ErrorCode | None:
        """The same for members of the new protocol."""
        group = self.classic.get(group_id)
        if group is not None and group.state is not State.EMPTY:
            return ErrorCode.group_id_not_found
        return None if group is None else _let_go(self.classic.forget, group_id)

    # --- who may commit

    def commit_problem(
        self,
        who: Committer,
        now_ms: float,
        partitions: Iterable[TopicPartition] = (),
        *,
        transactional: bool = False,
    ) -> ErrorCode | None:
        """Why this member may not commit, or None. An epoch below 0 comes from a consumer without a group."""
        group = self.consumer.get(who.group_id)
        if group is None:
            return self.classic.commit_problem(
                who.group_id, who.member_id, who.instance_id, who.epoch, now_ms, transactional=transactional
            )
        if who.epoch < 0 and not group.members:
            return None
        member = group.members.get(who.member_id)
        if member is None:
            return ErrorCode.unknown_member_id
        topics = self._topics.by_name()
        known = ((topics[name].topic_id, index) for name, index in partitions if name in topics)
        return None if may_commit(member, who.epoch, known) else ErrorCode.stale_member_epoch

    def transactional_commit_problem(
        self, who: Committer, now_ms: float, partitions: Iterable[TopicPartition] = ()
    ) -> ErrorCode | None:
        """The same for a commit in a transaction: one that names no member is taken, as old producers send it."""
        if who.epoch < 0 and not who.member_id and who.instance_id is None:
            return None
        problem = self.commit_problem(who, now_ms, partitions, transactional=True)
        return ErrorCode.illegal_generation if problem is ErrorCode.stale_member_epoch else problem

    def fetch_problem(self, who: Committer) -> ErrorCode | None:
        """Why this member may not ask for the group's offsets, or None; administrators name no member."""
        group = self.consumer.get(who.group_id)
        if group is None or (not who.member_id and who.epoch < 0):
            return None
        member = group.members.get(who.member_id)
        if member is None:
            return ErrorCode.unknown_member_id
        return None if member.progress.epoch == who.epoch else ErrorCode.stale_member_epoch

    def subscribed(self, group_id: str) -> frozenset[str]:
        """The topics that members are subscribed to; of members whose protocol says nothing of it, none."""
        consumer = self.consumer.get(group_id)
        if consumer is not None:
            return frozenset(topic for member in consumer.members.values() for topic in member.subscription.topics)
        group = self.classic.get(group_id)
        if group is None or group.protocol_type != CONSUMER:
            return frozenset()
        return frozenset(
            topic
            for member in group.members.values()
            for topic in subscribed_topics(member.metadata_for(group.protocol_name or member.protocols[0][0]))
        )

    # --- the end of groups

    def delete(self, group_id: str) -> ErrorCode:
        if not self.exists(group_id):
            return ErrorCode.group_id_not_found
        if not self._is_empty(group_id):
            return ErrorCode.non_empty_group
        self.offsets.delete_group(group_id)
        self.classic.forget(group_id)
        self.consumer.forget(group_id)
        self._empty_since.pop(group_id, None)
        return ErrorCode.none

    def expire(self, wall_ms: int, retention_ms: int) -> None:
        """Forget commits that are older than that, of groups that have had no members for as long (KIP-211)."""
        ids = [group.group_id for group in self.classic.groups()]
        ids += [group.group_id for group in self.consumer.groups()]
        for group_id in ids:
            if not self._is_empty(group_id):
                self._empty_since.pop(group_id, None)
                continue
            if self._empty_since.setdefault(group_id, wall_ms) > wall_ms - retention_ms:
                continue
            known = self.offsets.of_group(group_id)
            old = [each for each, value in known.items() if value.committed_at_ms <= wall_ms - retention_ms]
            self.offsets.delete(group_id, old)
            if not self.offsets.of_group(group_id):
                self.delete(group_id)

    def _is_empty(self, group_id: str) -> bool:
        classic, consumer = self.classic.get(group_id), self.consumer.get(group_id)
        return (classic is None or classic.state is State.EMPTY) and not (consumer and consumer.members)


def _let_go(forget: Callable[[str], None], group_id: str) -> ErrorCode | None:
    """A disk that is full leaves the group as it was; clients try again."""
    try:
        forget(group_id)
    except OSError as error:
        _log.error("group %s cannot be changed to the other protocol: %s", group_id, error)
        return ErrorCode.coordinator_not_available
    return None
