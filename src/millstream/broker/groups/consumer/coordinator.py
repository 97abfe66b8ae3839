"""The coordinator of consumer groups of the new protocol: heartbeats checked as Kafka checks them, sessions, memory.

Rules: Kafka's GroupMetadataManager for ConsumerGroupHeartbeat (KIP-848), static members as in KIP-345.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from kio.schema.errors import ErrorCode

from millstream.broker.dynamic import HEARTBEAT, SESSION, DynamicConfigs
from millstream.broker.groups.consumer.assignors import ASSIGNORS
from millstream.broker.groups.consumer.beat import Beat, Pulse, RefusedBeatError, check_epoch
from millstream.broker.groups.consumer.group import ConsumerGroup, KnownTopic
from millstream.broker.groups.consumer.member import AWAY, ConsumerMember, MemberState, Subscription
from millstream.broker.groups.consumer.snapshot import restore, snapshot
from millstream.broker.journal import Journal
from millstream.broker.patterns import InvalidPatternError, compiled
from millstream.broker.settings import DEFAULTS, BrokerSettings
from millstream.broker.timers import Timers

HEARTBEAT_INTERVAL_MS = 500
_GROUP = "consumer-group/"

_log = logging.getLogger(__name__)


class Topics(Protocol):
    """All topics by name; `version` is another number after every change of them."""

    @property
    def version(self) -> int: ...

    def by_name(self) -> Mapping[str, KnownTopic]: ...


class ConsumerGroups:
    """Groups by id. Times are in milliseconds of one monotonic clock."""

    def __init__(
        self,
        journal: Journal,
        timers: Timers,
        topics: Topics,
        settings: BrokerSettings = DEFAULTS,
        configs: DynamicConfigs | None = None,
    ) -> None:
        self._configs = configs or DynamicConfigs(Journal(None))
        self._session_ms = settings.consumer_session_ms
        self._most_members = settings.group_members
        self._journal = journal
        self._timers = timers
        self._topics = topics
        self._groups: dict[str, ConsumerGroup] = {}

    def restore(self, now_ms: float) -> None:
        """Bring back the groups as they were when the broker ended; every session begins anew."""
        for key, value in self._journal.items():
            if key.startswith(_GROUP):
                group = restore(key.removeprefix(_GROUP), value)
                self._groups[group.group_id] = group
                for member in group.members.values():
                    self._keep_alive(group, member, now_ms)
                    self._watch_revoking(group, member, now_ms)

    def __len__(self) -> int:
        return len(self._groups)

    def get(self, group_id: str) -> ConsumerGroup | None:
        return self._groups.get(group_id)

    def groups(self) -> list[ConsumerGroup]:
        return list(self._groups.values())

    def heartbeat_interval_ms(self, group_id: str) -> int:
        return self._configs.group_number(group_id, HEARTBEAT, HEARTBEAT_INTERVAL_MS)

    def forget(self, group_id: str) -> None:
        """Let go of a group without members. Raises OSError with nothing changed."""
        if _GROUP + group_id in self._journal:
            self._journal.put({_GROUP + group_id: None})
        self._groups.pop(group_id, None)

    # --- heartbeats

    def heartbeat(self, beat: Beat, now_ms: float) -> Pulse:
        """Join (epoch 0), leave (-1; -2 for static members that come back) or go on."""
        try:
            return self._leave(beat, now_ms) if beat.epoch < 0 else self._beat(beat, now_ms)
        except RefusedBeatError as refused:
            return Pulse(refused.code, message=str(refused))

    def _beat(self, beat: Beat, now_ms: float) -> Pulse:
        group = self._groups.get(beat.group_id)
        if group is None and beat.epoch > 0:
            raise RefusedBeatError(ErrorCode.group_id_not_found, f"Group {beat.group_id} not found.")
        group = group or ConsumerGroup(beat.group_id)
        member, changed = self._member(group, beat)
        self._groups[beat.group_id] = group
        epoch = group.epoch
        if changed or group.topics_version != self._topics.version:
            group.look_at(self._topics.by_name(), self._topics.version)
        if changed and group.epoch == epoch:
            group.retarget()
        before = member.progress
        stepped = group.advance(member, beat.owned)
        if stepped or group.epoch != epoch or changed:
            self._remember(group)
        self._keep_alive(group, member, now_ms)
        self._watch_revoking(group, member, now_ms)
        tell = beat.is_full or member.progress.assigned != before.assigned
        assignment = member.progress.assigned if tell else None
        return Pulse(ErrorCode.none, member.member_id, member.progress.epoch, assignment)

    def _leave(self, beat: Beat, now_ms: float) -> Pulse:
        group = self._groups.get(beat.group_id)
        if group is None:
            raise RefusedBeatError(ErrorCode.group_id_not_found, f"Group {beat.group_id} not found.")
        member_id = beat.member_id
        if beat.instance_id is not None:
            member_id = _static_member(group, beat).member_id
        if member_id not in group.members:
            raise _unknown(beat)
        member = group.members[member_id]
        if beat.epoch == AWAY:
            group.set_progress(member, replace(member.progress, epoch=AWAY))
            self._keep_alive(group, member, now_ms)
            self._remember(group)
        else:
            self._drop(group, member)
        return Pulse(ErrorCode.none, beat.member_id, beat.epoch)

    def _member(self, group: ConsumerGroup, beat: Beat) -> tuple[ConsumerMember, bool]:
        """The member that beats, made if it joins; and whether its subscription is new."""
        known = self._known_member(group, beat)
        if known is None:
            if len(group.members) >= self._most_members:
                text = f"Group {group.group_id} has {self._most_members} members, as many as it may have."
                raise RefusedBeatError(ErrorCode.group_max_size_reached, text)
            subscription = _subscription(Subscription(), beat)
            member = ConsumerMember(
                beat.member_id,
                beat.instance_id,
                beat.rack_id,
                beat.client_id,
                beat.client_host,
                beat.rebalance_timeout_ms,
                subscription,
            )
            group.add(member)
            return member, True
        subscription = _subscription(known.subscription, beat)
        changed = subscription != known.subscription
        known.subscription = subscription
        known.rack_id = beat.rack_id or known.rack_id
        known.client_id, known.client_host = beat.client_id, beat.client_host
        if beat.rebalance_timeout_ms >= 0:
            known.rebalance_timeout_ms = beat.rebalance_timeout_ms
        return known, changed

    def _known_member(self, group: ConsumerGroup, beat: Beat) -> ConsumerMember | None:
        joins = beat.epoch == 0
        if beat.instance_id is None:
            member = group.members.get(beat.member_id)
            if member is None and not joins:
                raise _unknown(beat)
        elif joins and beat.instance_id not in group.static:
            member = None
        elif joins:
            member = self._come_back(group, beat)
        else:
            member = _static_member(group, beat)
        if member is not None and not joins:
            check_epoch(member, beat)
        return member

    def _come_back(self, group: ConsumerGroup, beat: Beat) -> ConsumerMember:
        """A static member restarted: it has a new id, and gets the partitions that were kept for it."""
        member = group.members[group.static[beat.instance_id or ""]]
        if member.member_id == beat.member_id:
            return member
        if member.progress.epoch != AWAY:
            text = f"Static member {beat.instance_id} is still in use by {member.member_id}."
            raise RefusedBeatError(ErrorCode.unreleased_instance_id, text)
        self._cancel(member)
        group.rename(member, beat.member_id)
        progress = member.progress
        member.since.clear()
        group.set_progress(member, replace(progress, epoch=0, previous_epoch=0, state=MemberState.STABLE))
        return member

    # --- silence

    def _keep_alive(self, group: ConsumerGroup, member: ConsumerMember, now_ms: float) -> None:
        member.deadline_ms = now_ms + self._configs.group_number(group.group_id, SESSION, self._session_ms)
        if member.session_timer is None:
            self._arm(group, member, member.deadline_ms)

    def _arm(self, group: ConsumerGroup, member: ConsumerMember, at_ms: float) -> None:
        def check(now_ms: float) -> None:
            member.session_timer = None
            if group.members.get(member.member_id) is not member:
                return
            if now_ms < member.deadline_ms:
                self._arm(group, member, member.deadline_ms)
            else:
                _log.info("%s is out of group %s: it was silent", member.member_id, group.group_id)
                self._drop(group, member)

        member.session_timer = self._timers.at(at_ms, check)

    def _watch_revoking(self, group: ConsumerGroup, member: ConsumerMember, now_ms: float) -> None:
        """A member that does not give up its partitions in time is out."""
        if member.progress.state is not MemberState.UNREVOKED:
            if member.revoke_timer is not None:
                member.revoke_timer.cancel()
                member.revoke_timer = None
            return
        if member.revoke_timer is None:

            def late(now_ms: float) -> None:
                member.revoke_timer = None
                if group.members.get(member.member_id) is member:
                    _log.info("%s is out of group %s: it kept its partitions", member.member_id, group.group_id)
                    self._drop(group, member)

            member.revoke_timer = self._timers.at(now_ms + member.rebalance_timeout_ms, late)

    def _drop(self, group: ConsumerGroup, member: ConsumerMember) -> None:
        self._cancel(member)
        group.remove(member.member_id)
        epoch = group.epoch
        group.look_at(self._topics.by_name(), self._topics.version)
        if group.epoch == epoch:
            group.retarget()
        self._remember(group)

    def _cancel(self, member: ConsumerMember) -> None:
        for timer in (member.session_timer, member.revoke_timer):
            if timer is not None:
                timer.cancel()
        member.session_timer = member.revoke_timer = None

    def _remember(self, group: ConsumerGroup) -> None:
        """What a full disk does not take is lost only if the broker dies: the members join again then."""
        try:
            self._journal.put({_GROUP + group.group_id: snapshot(group)})
        except OSError as error:
            _log.error("the members of group %s cannot be written: %s", group.group_id, error)


def _subscription(before: Subscription, beat: Beat) -> Subscription:
    if beat.assignor and beat.assignor not in ASSIGNORS:
        text = f"ServerAssignor {beat.assignor} is not supported. Supported assignors: {', '.join(ASSIGNORS)}."
        raise RefusedBeatError(ErrorCode.unsupported_assignor, text)
    try:
        compiled(beat.pattern or "")
    except InvalidPatternError as error:
        raise RefusedBeatError(ErrorCode.invalid_regular_expression, f"SubscribedTopicRegex {error}") from error
    return Subscription(
        before.topics if beat.topics is None else beat.topics,
        before.pattern if beat.pattern is None else beat.pattern,
        before.assignor if beat.assignor is None else beat.assignor,
    )


def _static_member(group: ConsumerGroup, beat: Beat) -> ConsumerMember:
    member_id = group.static.get(beat.instance_id or "")
    if member_id is None:
        raise _unknown(beat)
    if member_id != beat.member_id:
        text = f"Static member {beat.member_id} with instance id {beat.instance_id} was fenced by {member_id}."
        raise RefusedBeatError(ErrorCode.fenced_instance_id, text)
    return group.members[member_id]


def _unknown(beat: Beat) -> RefusedBeatError:
    text = f"Member {beat.member_id} is not a member of group {beat.group_id}."
    return RefusedBeatError(ErrorCode.unknown_member_id, text)
