"""A member of a consumer group, and the step that it takes towards the assignment that it is to have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from uuid import UUID

from millstream.broker.groups.consumer.assignors import Partitions
from millstream.broker.timers import Timer

NO_PARTITIONS: Partitions = frozenset()
LEFT_FOR_GOOD = -1
AWAY = -2
"""The epoch of a static member that left and may come back for its partitions before its session is over."""


class MemberState(Enum):
    STABLE = "stable"
    UNREVOKED = "has still to give up partitions"
    UNRELEASED = "waits for partitions that others have still to give up"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a member asks for: topics by name, topics whose names match a pattern, and the assignor it prefers."""

    topics: frozenset[str] = frozenset()
    pattern: str = ""
    assignor: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a member is: `assigned` it may work on, `revoking` it has still to give up."""

    epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    assigned: Partitions = NO_PARTITIONS
    revoking: Partitions = NO_PARTITIONS

    @property
    def held(self) -> Partitions:
        """What nobody else may be given."""
        return self.assigned | self.revoking


@dataclass(slots=True)
class ConsumerMember:
    member_id: str
    instance_id: str | None
    rack_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    subscription: Subscription
    progress: Progress = field(default_factory=Progress)
    since: dict[tuple[UUID, int], int] = field(default_factory=dict)
    """The epoch from which on the member has had each of its partitions, where that is known."""
    deadline_ms: float = 0.0
    session_timer: Timer | None = field(default=None, repr=False)
    revoke_timer: Timer | None = field(default=None, repr=False)


def may_commit(member: ConsumerMember, epoch: int, partitions: Iterable[tuple[UUID, int]]) -> bool:
    """Whether a commit with this epoch is the member's: an older one too, if it has had the partitions since then.

    So a member that learns of a new epoch while it commits what stays its own is not refused (KIP-1251).
    """
    progress = member.progress
    if epoch >= progress.epoch:
        return epoch == progress.epoch
    return all(each in progress.assigned and member.since.get(each, progress.epoch) <= epoch for each in partitions)


def reconciled(
    now: Progress,
    target: Partitions,
    target_epoch: int,
    owned: Partitions | None,
    free_of: Callable[[Partitions], Partitions],
) -> Progress:
    """The member's next step; the same progress if it has to wait.

    `owned` is what the member says that it has (None: unchanged). It first gives up what is not in its target, and
    says so; then it has the target's epoch, and gets of the target what `free_of` leaves of it (KIP-848).
    """
    if now.state is MemberState.STABLE and now.epoch == target_epoch:
        return now
    if now.state is MemberState.UNREVOKED and _still_has(owned, now.revoking):
        return now
    kept = now.assigned & target
    gone = now.assigned - target
    if gone and _still_has(owned, gone):
        return replace(now, state=MemberState.UNREVOKED, assigned=kept, revoking=gone)
    free = free_of(target - kept)
    complete = len(free) + len(kept) == len(target)
    return Progress(
        target_epoch,
        now.previous_epoch if now.epoch == target_epoch else now.epoch,
        MemberState.STABLE if complete else MemberState.UNRELEASED,
        kept | free,
    )


def _still_has(owned: Partitions | None, revoking: Partitions) -> bool:
    return owned is None or bool(owned & revoking)
