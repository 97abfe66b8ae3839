"""Members of consumer groups that speak as clients do: what they are given, they have; what is taken, they give up."""

from __future__ import annotations

from itertools import count
from typing import Any

from kio.schema.errors import ErrorCode

from millstream.broker.groups.consumer.assignors import Partitions
from millstream.broker.groups.consumer.beat import Beat, Pulse
from millstream.broker.groups.groups import Groups
from millstream.broker.journal import Journal
from millstream.broker.timers import Timers
from tests.broker.groups.topics import FakeTopics

REBALANCE_MS = 60_000


class Cluster:
    """The groups of a broker and their clock."""

    def __init__(self, topics: FakeTopics | None = None, journal: Journal | None = None) -> None:
        self.topics = topics or FakeTopics(t=4)
        self.journal = journal or Journal(None)
        self.timers = Timers()
        self.now = 0.0
        ids = count(1)
        self.groups = Groups(self.journal, self.timers, lambda: str(next(ids)), self.topics)
        self.groups.restore(0)

    def restart(self) -> None:
        """The broker dies and comes back with what it had written."""
        now = self.now
        self.__init__(self.topics, self.journal)  # type: ignore[misc]
        self.now = now
        for member in self.group.members.values():
            member.deadline_ms += now

    @property
    def group(self) -> Any:
        return self.groups.consumer.get("g")

    def advance(self, duration_ms: float) -> None:
        end = self.now + duration_ms
        while (deadline := self.timers.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.timers.fire(self.now)
        self.now = end

    def beat(self, member_id: str, epoch: int, **changes: Any) -> Pulse:
        """A heartbeat that joins says what it must; others only what `changes` say."""
        fields: dict[str, Any] = {
            "instance_id": None,
            "rack_id": None,
            "client_id": "c",
            "client_host": "/h",
            "rebalance_timeout_ms": REBALANCE_MS if epoch == 0 else -1,
            "topics": frozenset({"t"}) if epoch == 0 else None,
            "pattern": None,
            "assignor": None,
            "owned": frozenset() if epoch == 0 else None,
            **changes,
        }
        return self.groups.consumer.heartbeat(Beat("g", member_id, epoch, **fields), self.now)


class Member:
    """One member. `owned` is what it works on; it says so with the heartbeat after it has changed.

    A slow one takes up an assignment, and gives up what is not in it, only when it is told to `take_up`.
    """

    def __init__(self, cluster: Cluster, member_id: str, *, slow: bool = False, **subscription: Any) -> None:
        self.cluster = cluster
        self.slow = slow
        self.assignment: Partitions = frozenset()
        self.member_id = member_id
        self.subscription = subscription
        self.epoch = 0
        self.owned: Partitions = frozenset()
        self.last_heard = cluster.now

    def beat(self, **changes: Any) -> ErrorCode:
        if self.epoch == 0:
            self.lose_all()
            changes = {**self.subscription, **changes}
        else:
            changes.setdefault("owned", self.told)
        pulse = self.cluster.beat(self.member_id, self.epoch, **changes)
        return self.hear(pulse)

    def hear(self, pulse: Pulse) -> ErrorCode:
        """Take an answer in; one that fences the member takes everything from it."""
        if pulse.error is ErrorCode.none:
            self.last_heard = self.cluster.now
            self.epoch = pulse.epoch
            if pulse.assignment is not None:
                self.assignment = pulse.assignment
            if not self.slow:
                self.take_up()
        elif pulse.error in {ErrorCode.fenced_member_epoch, ErrorCode.unknown_member_id, ErrorCode.group_id_not_found}:
            self.lose_all()
        return pulse.error

    @property
    def told(self) -> Partitions | None:
        """As Kafka's client, it tells what it has only when it has done what the last answer asks of it."""
        return self.owned if self.owned == self.assignment else None

    def take_up(self) -> None:
        self.owned = self.assignment

    def lose_all(self) -> None:
        self.epoch, self.owned, self.assignment = 0, frozenset(), frozenset()

    @property
    def indexes(self) -> list[int]:
        return sorted(index for _, index in self.owned)
