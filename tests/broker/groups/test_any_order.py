"""Whatever members do, in any order: every request is answered once, and those that stay share one generation."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from kio.schema.errors import ErrorCode

from millstream.broker.groups.group import State
from tests.broker.groups.test_coordinator import REBALANCE_MS, SESSION_MS, Cluster

MEMBERS = st.integers(0, 3)


class Client:
    """A member that speaks as a well-behaved client does, when it is its turn."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.member_id = ""
        self.joined: Any = None
        self.synced = False
        self.joining: list[Any] | None = None
        self.syncing: list[Any] | None = None

    def turn(self) -> None:
        if self.joining is not None:
            self._take_join()
        elif self.syncing is not None:
            self._take_sync()
        elif self.joined is None:
            self.joining = self.cluster.join(self.member_id)
        elif not self.synced:
            given = {member.member_id: member.member_id.encode() for member in self.joined.members}
            self.syncing = self.cluster.sync(self.joined, given)
        else:
            self._after(self.cluster.heartbeat(self.joined))

    def leave(self) -> None:
        if self.joining is None and self.syncing is None and self.member_id:
            self.cluster.coordinator.leave("g", self.member_id, None, self.cluster.now)
            self._forget()

    def _take_join(self) -> None:
        assert self.joining is not None
        assert len(self.joining) <= 1, "a join is answered once"
        if self.joining:
            answer, self.joining = self.joining[0], None
            if answer.error_code is ErrorCode.none:
                self.joined, self.member_id, self.synced = answer, answer.member_id, False
            else:
                self._after(answer.error_code)

    def _take_sync(self) -> None:
        assert self.syncing is not None
        assert len(self.syncing) <= 1, "a sync is answered once"
        if self.syncing:
            answer, self.syncing = self.syncing[0], None
            if answer.error_code is ErrorCode.none:
                assert answer.assignment == self.member_id.encode(), "each gets its own assignment"
                self.synced = True
            else:
                self._after(answer.error_code)

    def _after(self, error: ErrorCode) -> None:
        if error is ErrorCode.unknown_member_id:
            self._forget()
        elif error is not ErrorCode.none:
            assert error in {ErrorCode.rebalance_in_progress, ErrorCode.illegal_generation}
            self.joined, self.synced = None, False

    def _forget(self) -> None:
        self.member_id, self.joined, self.synced = "", None, False


class AnyOrder(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.cluster = Cluster()
        self.clients = [Client(self.cluster) for _ in range(4)]
        self.generation = 0

    @rule(which=MEMBERS)
    def turn(self, which: int) -> None:
        self.clients[which].turn()

    @rule(which=MEMBERS)
    def leave(self, which: int) -> None:
        self.clients[which].leave()

    @rule(which=MEMBERS)
    def crash(self, which: int) -> None:
        """The client goes without a word, and another takes its place."""
        self.clients[which] = Client(self.cluster)

    @rule(duration=st.sampled_from([1, 20, 1000, SESSION_MS, REBALANCE_MS]))
    def wait(self, duration: int) -> None:
        self.cluster.advance(duration)

    @invariant()
    def generations_only_grow(self) -> None:
        group = self.cluster.coordinator.get("g")
        if group is not None:
            assert group.generation >= self.generation
            self.generation = group.generation
            assert group.leader is None or group.leader in group.members
            assert (group.state is State.EMPTY) <= (not group.members)

    def teardown(self) -> None:
        """Left in peace, whoever is there comes to rest in one generation."""
        for _ in range(400):
            self.cluster.advance(1000)
            for client in self.clients:
                client.turn()
        assert self.cluster.state() is State.STABLE
        assert all(client.synced for client in self.clients)
        assert len({client.joined.generation_id for client in self.clients}) == 1


AnyOrder.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
