"""One consumer group: its states, and how a rebalance begins and ends.

Pure: requests, times and deadlines come in, waiting requests are answered through their replies. Kafka's states:

    Empty -> PreparingRebalance -> CompletingRebalance -> Stable
                 ^        |                 |               |
                 +--------+ (nobody left: Empty)   <--------+ (someone joins, leaves or is silent)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum

from kio.schema.errors import ErrorCode

from millstream.broker.groups.member import Member, Protocols
from millstream.broker.protocol.answers.groups import Joined, JoinedMember, Synced
from millstream.broker.timers import Timer, Timers


class State(Enum):
    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class Group:
    """Members and generation of one group. `on_settled` is called when there is something new to remember durably."""

    def __init__(
        self, group_id: str, timers: Timers, initial_delay_ms: float, on_settled: Callable[[Group], None]
    ) -> None:
        self.group_id = group_id
        self.state = State.EMPTY
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self.leader: str | None = None
        self.members: dict[str, Member] = {}
        self.static: dict[str, str] = {}
        """Member id by group instance id."""
        self._pending: dict[str, Timer] = {}
        self._timers = timers
        self._initial_delay_ms = initial_delay_ms
        self._initial = False
        self._phase_timer: Timer | None = None
        self._unsynced: set[str] = set()
        """Who has joined this generation and not asked for its assignment yet."""
        self._on_settled = on_settled

    # --- members

    def add(self, member: Member, now_ms: float) -> None:
        self.forget_pending(member.member_id)
        self.members[member.member_id] = member
        if member.instance_id is not None:
            self.static[member.instance_id] = member.member_id
        self.leader = self.leader or member.member_id
        self.keep_alive(member, now_ms)

    def replace_static(self, old_id: str, new_id: str) -> Member:
        """A static member came back with a new member id; requests that wait under the old one are fenced."""
        member = self.members.pop(old_id)
        member.answer_join(Joined(ErrorCode.fenced_instance_id, old_id))
        member.answer_sync(Synced(ErrorCode.fenced_instance_id))
        member.member_id = new_id
        self.members[new_id] = member
        if old_id in self._unsynced:
            self._unsynced.remove(old_id)
            self._unsynced.add(new_id)
        if member.instance_id is not None:
            self.static[member.instance_id] = new_id
        if self.leader == old_id:
            self.leader = new_id
        return member

    def remove(self, member_id: str, now_ms: float) -> None:
        """Take a member out and let the others rebalance."""
        self._drop(self.members[member_id])
        match self.state:
            case State.STABLE | State.COMPLETING:
                self.prepare_rebalance(now_ms)
            case State.PREPARING:
                self.complete_if_all_joined(now_ms)

    def await_rejoin(self, member_id: str, timeout_ms: int, now_ms: float) -> None:
        """A member id was given out; the rebalance waits for its owner, but not for ever."""

        def expire(at_ms: float) -> None:
            self.forget_pending(member_id)
            if self.state is State.PREPARING:
                self.complete_if_all_joined(at_ms)

        self._pending[member_id] = self._timers.at(now_ms + timeout_ms, expire)

    def is_pending(self, member_id: str) -> bool:
        return member_id in self._pending

    def forget_pending(self, member_id: str) -> None:
        timer = self._pending.pop(member_id, None)
        if timer is not None:
            timer.cancel()

    def keep_alive(self, member: Member, now_ms: float) -> None:
        """A sign of life: the session lasts from now on."""
        member.deadline_ms = now_ms + member.session_timeout_ms
        if member.timer is None:
            self._arm(member, member.deadline_ms)

    def supports(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether a member with these assignors can join the others."""
        if not self.members:
            return bool(protocol_type) and bool(protocols)
        return protocol_type == self.protocol_type and bool(self._common() & {name for name, _ in protocols})

    def has_room_for(self, member_id: str, most: int) -> bool:
        """Whether this member may join: in a rebalance, as many as may be in the group of those who come first."""
        known = self.members.get(member_id)
        if self.state is State.PREPARING:
            waiting = sum(member.join_reply is not None for member in self.members.values())
            return (known is not None and known.join_reply is not None) or waiting < most
        return known is not None or self.is_pending(member_id) or len(self.members) + len(self._pending) < most

    def has_synced(self, member: Member) -> None:
        """A member asked for its assignment; once all have, nobody is late any more."""
        self._unsynced.discard(member.member_id)
        if not self._unsynced and self.state is State.STABLE:
            self._set_phase_timer(None)

    # --- rebalancing

    def prepare_rebalance(self, now_ms: float) -> None:
        """Ask everybody to join again; done when all have, or when the slowest rebalance timeout is over."""
        for member in self.members.values():
            if self.state is State.COMPLETING:
                member.assignment = b""
            member.answer_sync(Synced(ErrorCode.rebalance_in_progress))
        self._initial = self.state is State.EMPTY
        delay = self._initial_delay_ms if self._initial else self._longest_rebalance_ms()
        self.state = State.PREPARING
        self._set_phase_timer(now_ms + delay, self.complete_join)
        if not self._initial:
            self.complete_if_all_joined(now_ms)

    def complete_if_all_joined(self, now_ms: float) -> None:
        waits = self._initial or self._pending or any(member.join_reply is None for member in self.members.values())
        if not waits:
            self.complete_join(now_ms)

    def complete_join(self, now_ms: float) -> None:
        """Close the joining phase: whoever has not come is out, the others learn the new generation."""
        self._initial = False
        for member in [each for each in self.members.values() if each.join_reply is None and each.instance_id is None]:
            self._drop(member)
        joined = [member.member_id for member in self.members.values() if member.join_reply is not None]
        if self.members and not joined:
            self._set_phase_timer(now_ms + self._longest_rebalance_ms(), self.complete_join)
            return
        self._set_phase_timer(None)
        self.generation += 1
        if not self.members:
            self.state, self.protocol_name, self.leader = State.EMPTY, None, None
            self.remember()
            return
        if self.leader not in joined:
            self.leader = joined[0]
        self.state = State.COMPLETING
        self.protocol_name = self.elected_protocol()
        self._unsynced = set(self.members)
        self._set_phase_timer(now_ms + self._longest_rebalance_ms(), self._expire_unsynced)
        for member in list(self.members.values()):
            self.keep_alive(member, now_ms)
            member.answer_join(self.join_answer(member))

    def settle(self, assignments: dict[str, bytes]) -> None:
        """The leader has decided: everybody who waits gets an assignment, the others have until the timeout."""
        if not self._unsynced:
            self._set_phase_timer(None)
        self.state = State.STABLE
        for member in self.members.values():
            member.assignment = assignments.get(member.member_id, b"")
        self.remember()
        for member in self.members.values():
            member.answer_sync(self.sync_answer(member))

    def join_answer(self, member: Member, *, skip_assignment: bool = False) -> Joined:
        leads = member.member_id == self.leader
        others: Iterable[Member] = self.members.values() if leads else ()
        return Joined(
            ErrorCode.none,
            member.member_id,
            self.generation,
            self.protocol_type,
            self.protocol_name,
            self.leader or "",
            skip_assignment,
            tuple(
                JoinedMember(each.member_id, each.instance_id, each.metadata_for(self.protocol_name)) for each in others
            ),
        )

    def sync_answer(self, member: Member) -> Synced:
        return Synced(ErrorCode.none, member.assignment, self.protocol_type, self.protocol_name)

    def elected_protocol(self) -> str:
        """The assignor that most members prefer, of those that all know."""
        common = self._common()
        votes = Counter(
            next(name for name, _ in member.protocols if name in common) for member in self.members.values()
        )
        return votes.most_common(1)[0][0]

    def remember(self) -> None:
        """Make the generation, its members and their assignments durable."""
        self._on_settled(self)

    def _common(self) -> set[str]:
        known = [{name for name, _ in member.protocols} for member in self.members.values()]
        return set.intersection(*known)

    def _longest_rebalance_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def _expire_unsynced(self, now_ms: float) -> None:
        for member in [each for each in self.members.values() if each.member_id in self._unsynced]:
            self._drop(member)
        self.prepare_rebalance(now_ms)

    def _drop(self, member: Member) -> None:
        del self.members[member.member_id]
        self._unsynced.discard(member.member_id)
        if member.instance_id is not None:
            self.static.pop(member.instance_id, None)
        if member.timer is not None:
            member.timer.cancel()
            member.timer = None
        member.answer_join(Joined(ErrorCode.unknown_member_id, member.member_id))
        member.answer_sync(Synced(ErrorCode.unknown_member_id))
        if self.leader == member.member_id:
            self.leader = next(iter(self.members), None)

    def _arm(self, member: Member, at_ms: float) -> None:
        def check(now_ms: float) -> None:
            member.timer = None
            if self.members.get(member.member_id) is not member:
                return
            if member.waiting:
                self.keep_alive(member, now_ms)
            elif now_ms < member.deadline_ms:
                self._arm(member, member.deadline_ms)
            else:
                self.remove(member.member_id, now_ms)

        member.timer = self._timers.at(at_ms, check)

    def _set_phase_timer(self, at_ms: float | None, action: Callable[[float], None] | None = None) -> None:
        if self._phase_timer is not None:
            self._phase_timer.cancel()
            self._phase_timer = None
        if at_ms is not None and action is not None:
            self._phase_timer = self._timers.at(at_ms, action)
