"""The coordinator of classic groups: join, sync, heartbeat and leave, checked as Kafka checks them.

Rules: Kafka's GroupCoordinator for the classic protocol (KIP-62, KIP-345, KIP-394, KIP-429, KIP-800).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from kio.schema.errors import ErrorCode

from millstream.broker.groups.group import Group, State
from millstream.broker.groups.member import Member, Protocols
from millstream.broker.groups.snapshot import restore, snapshot
from millstream.broker.journal import Journal
from millstream.broker.protocol.answers.groups import Joined, LeftMember, Synced
from millstream.broker.settings import DEFAULTS, BrokerSettings
from millstream.broker.timers import Timers

_GROUP = "group/"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JoinRequest:
    group_id: str
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: Protocols
    requires_known_id: bool
    """From version 4 on a new dynamic member is first given an id, and joins with it (KIP-394)."""
    can_skip_assignment: bool
    """From version 9 on a static leader that comes back can be told to leave the assignment as it is (KIP-814)."""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    group_id: str
    member_id: str
    instance_id: str | None
    generation: int
    protocol_type: str | None
    protocol_name: str | None
    assignments: dict[str, bytes]


class Coordinator:
    """Groups by id. `new_id` makes the random part of member ids; times are in milliseconds of one monotonic clock."""

    def __init__(
        self, journal: Journal, timers: Timers, new_id: Callable[[], str], settings: BrokerSettings = DEFAULTS
    ) -> None:
        self._journal = journal
        self._timers = timers
        self._new_id = new_id
        self._settings = settings
        self._groups: dict[str, Group] = {}

    def restore(self, now_ms: float) -> None:
        """Bring back the groups as they were when the broker ended; every session begins anew."""
        for key, value in self._journal.items():
            if key.startswith(_GROUP):
                group_id = key.removeprefix(_GROUP)
                restore(self._create(group_id), value, now_ms)

    def __len__(self) -> int:
        return len(self._groups)

    def get(self, group_id: str) -> Group | None:
        return self._groups.get(group_id)

    def known(self, group_id: str) -> Group:
        """The group, made if it is new (a commit without membership makes one)."""
        return self._groups.get(group_id) or self._create(group_id)

    def groups(self) -> list[Group]:
        return list(self._groups.values())

    # --- requests

    def join(self, request: JoinRequest, now_ms: float, reply: Callable[[Joined], None]) -> None:
        """Answered when the rebalance that it causes or takes part in has all its members."""
        group = self._groups.get(request.group_id)
        error = self._join_problem(request, group)
        if error is not None:
            reply(Joined(error, request.member_id))
            return
        group = group or self._create(request.group_id)
        if request.member_id:
            self._rejoin(group, request, now_ms, reply)
        elif request.instance_id is not None and request.instance_id in group.static:
            self._come_back(group, request, now_ms, reply)
        elif request.requires_known_id and request.instance_id is None:
            member_id = self._member_id(request)
            group.await_rejoin(member_id, request.session_timeout_ms, now_ms)
            reply(Joined(ErrorCode.member_id_required, member_id))
        else:
            self._enter(group, self._member_id(request), request, now_ms, reply)

    def sync(self, request: SyncRequest, now_ms: float, reply: Callable[[Synced], None]) -> None:
        """Answered when the leader's assignment is there."""
        group = self._groups.get(request.group_id)
        error = self._member_problem(group, request.member_id, request.instance_id, request.generation)
        if group is None or error is not None:
            reply(Synced(error or ErrorCode.unknown_member_id))
            return
        if _differs(request.protocol_type, group.protocol_type) or _differs(request.protocol_name, group.protocol_name):
            reply(Synced(ErrorCode.inconsistent_group_protocol))
            return
        member = group.members[request.member_id]
        group.keep_alive(member, now_ms)
        group.has_synced(member)
        match group.state:
            case State.COMPLETING:
                member.answer_sync(Synced(ErrorCode.rebalance_in_progress))
                member.sync_reply = reply
                if member.member_id == group.leader:
                    group.settle(request.assignments)
            case State.STABLE:
                reply(group.sync_answer(member))
            case State.PREPARING:
                reply(Synced(ErrorCode.rebalance_in_progress))
            case State.EMPTY:
                reply(Synced(ErrorCode.unknown_member_id))

    def heartbeat(
        self, group_id: str, member_id: str, instance_id: str | None, generation: int, now_ms: float
    ) -> ErrorCode:
        group = self._groups.get(group_id)
        error = self._member_problem(group, member_id, instance_id, generation)
        if group is None or error is not None:
            return error or ErrorCode.unknown_member_id
        group.keep_alive(group.members[member_id], now_ms)
        return ErrorCode.rebalance_in_progress if group.state is State.PREPARING else ErrorCode.none

    def leave(self, group_id: str, member_id: str, instance_id: str | None, now_ms: float) -> LeftMember:
        """Take one member out; a static one may be named by its instance id alone."""
        group = self._groups.get(group_id)
        error = ErrorCode.none
        if group is None:
            error = ErrorCode.unknown_member_id
        elif instance_id is None and group.is_pending(member_id):
            group.forget_pending(member_id)
            if group.state is State.PREPARING:
                group.complete_if_all_joined(now_ms)
        else:
            known = group.static.get(instance_id, "") if instance_id is not None else member_id
            if known not in group.members:
                error = ErrorCode.unknown_member_id
            elif member_id not in {"", known}:
                error = ErrorCode.fenced_instance_id
            else:
                group.remove(known, now_ms)
        return LeftMember(member_id, instance_id, error)

    def commit_problem(
        self,
        group_id: str,
        member_id: str,
        instance_id: str | None,
        generation: int,
        now_ms: float,
        *,
        transactional: bool = False,
    ) -> ErrorCode | None:
        """Why this member may not commit, or None. A generation below 0 comes from a consumer without a group."""
        group = self._groups.get(group_id)
        if generation < 0:
            if group is None or group.state is State.EMPTY:
                return None
            if not member_id and instance_id is None:
                return ErrorCode.unknown_member_id
        elif group is None:
            return ErrorCode.illegal_generation
        error = self._member_problem(group, member_id, instance_id, generation)
        if group is None or error is not None:
            return error
        group.keep_alive(group.members[member_id], now_ms)
        settling = group.state is State.COMPLETING and not transactional
        return ErrorCode.rebalance_in_progress if settling else None

    def forget(self, group_id: str) -> None:
        """Let go of a group without members. Raises OSError with nothing changed."""
        if _GROUP + group_id in self._journal:
            self._journal.put({_GROUP + group_id: None})
        self._groups.pop(group_id, None)

    # --- the ways in

    def _enter(
        self, group: Group, member_id: str, request: JoinRequest, now_ms: float, reply: Callable[[Joined], None]
    ) -> None:
        member = Member(
            member_id,
            request.instance_id,
            request.client_id,
            request.client_host,
            request.session_timeout_ms,
            request.rebalance_timeout_ms,
            request.protocols,
            join_reply=reply,
        )
        group.protocol_type = request.protocol_type
        group.add(member, now_ms)
        self._rebalance(group, now_ms)

    def _rejoin(self, group: Group, request: JoinRequest, now_ms: float, reply: Callable[[Joined], None]) -> None:
        if group.is_pending(request.member_id):
            self._enter(group, request.member_id, request, now_ms, reply)
            return
        member = group.members[request.member_id]
        group.keep_alive(member, now_ms)
        unchanged = member.protocols == request.protocols
        leads = member.member_id == group.leader
        calm = group.state is State.COMPLETING or (group.state is State.STABLE and not leads)
        if calm and unchanged:
            reply(group.join_answer(member))
            return
        self._update(member, request, reply)
        self._rebalance(group, now_ms)

    def _come_back(self, group: Group, request: JoinRequest, now_ms: float, reply: Callable[[Joined], None]) -> None:
        """A static member restarted: with the same wishes it gets its place back and nobody else is disturbed."""
        old_id = group.static[request.instance_id or ""]
        led = group.leader == old_id
        member = group.replace_static(old_id, self._member_id(request))
        self._update(member, request, reply)
        group.keep_alive(member, now_ms)
        if group.state is State.STABLE and group.elected_protocol() == group.protocol_name:
            group.remember()
            answer = group.join_answer(member, skip_assignment=led and request.can_skip_assignment)
            if led and not request.can_skip_assignment:
                answer = replace(answer, leader=old_id, members=())
            member.answer_join(answer)
            return
        self._rebalance(group, now_ms)

    def _update(self, member: Member, request: JoinRequest, reply: Callable[[Joined], None]) -> None:
        member.answer_join(Joined(ErrorCode.rebalance_in_progress, member.member_id))
        member.protocols = request.protocols
        member.session_timeout_ms = request.session_timeout_ms
        member.rebalance_timeout_ms = request.rebalance_timeout_ms
        member.client_id, member.client_host = request.client_id, request.client_host
        member.join_reply = reply

    def _rebalance(self, group: Group, now_ms: float) -> None:
        if group.state is State.PREPARING:
            group.complete_if_all_joined(now_ms)
        else:
            group.prepare_rebalance(now_ms)

    # --- checks

    def _join_problem(self, request: JoinRequest, group: Group | None) -> ErrorCode | None:
        if not request.group_id:
            return ErrorCode.invalid_group_id
        if not self._settings.session_min_ms <= request.session_timeout_ms <= self._settings.session_max_ms:
            return ErrorCode.invalid_session_timeout
        if group is None:
            if request.member_id:
                return ErrorCode.unknown_member_id
            return None if request.protocol_type and request.protocols else ErrorCode.inconsistent_group_protocol
        comes_back = request.instance_id is not None and request.instance_id in group.static
        if not group.has_room_for(request.member_id, self._settings.group_members) and not comes_back:
            return ErrorCode.group_max_size_reached
        if not group.supports(request.protocol_type, request.protocols):
            return ErrorCode.inconsistent_group_protocol
        if request.member_id and not group.is_pending(request.member_id):
            return self._member_problem(group, request.member_id, request.instance_id, None)
        return None

    def _member_problem(
        self, group: Group | None, member_id: str, instance_id: str | None, generation: int | None
    ) -> ErrorCode | None:
        if group is None:
            return ErrorCode.unknown_member_id
        if instance_id is not None:
            known = group.static.get(instance_id)
            if known is None:
                return ErrorCode.unknown_member_id
            if known != member_id:
                return ErrorCode.fenced_instance_id
        if member_id not in group.members:
            return ErrorCode.unknown_member_id
        if generation is not None and generation != group.generation:
            return ErrorCode.illegal_generation
        return None

    def _member_id(self, request: JoinRequest) -> str:
        return f"{request.instance_id or request.client_id}-{self._new_id()}"

    def _create(self, group_id: str) -> Group:
        group = Group(group_id, self._timers, self._settings.group_initial_delay_ms, self._remember)
        self._groups[group_id] = group
        return group

    def _remember(self, group: Group) -> None:
        """What a full disk does not take is lost only if the broker dies: the members join again then."""
        try:
            self._journal.put({_GROUP + group.group_id: snapshot(group)})
        except OSError as error:
            _log.error("the members of group %s cannot be written: %s", group.group_id, error)


def _differs(asked: str | None, actual: str | None) -> bool:
    return asked is not None and asked != actual
