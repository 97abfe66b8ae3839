"""Whatever members do, in any order: no partition is worked on by two, and left in peace all are shared."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from kio.schema.errors import ErrorCode

from millstream.broker.groups.consumer.group import GroupState
from millstream.broker.groups.consumer.member import MemberState
from millstream.broker.settings import DEFAULTS
from tests.broker.groups.consumer.client import REBALANCE_MS, Cluster, Member
from tests.broker.groups.topics import FakeTopics

MEMBERS = st.integers(0, 2)
SUBSCRIPTIONS = st.sampled_from([{"t"}, {"u"}, {"t", "u"}, {"t", "none"}])

SESSION_MS = DEFAULTS.consumer_session_ms


class AnyOrder(RuleBasedStateMachine):
    @initialize(assignor=st.sampled_from(["uniform", "range"]))
    def start(self, assignor: str) -> None:
        self.cluster = Cluster(FakeTopics(t=5, u=3))
        self.assignor = assignor
        self.names = 0
        self.members = [self.fresh(frozenset({"t"})) for _ in range(3)]
        self.epoch = 0

    def fresh(self, topics: frozenset[str]) -> Member:
        self.names += 1
        return Member(self.cluster, f"m{self.names}", slow=True, topics=topics, assignor=self.assignor)

    @rule(turns=st.lists(st.tuples(MEMBERS, st.booleans()), min_size=2, max_size=8))
    def beat(self, turns: list[tuple[int, bool]]) -> None:
        for which, prompt in turns:
            self.heard(self.members[which].beat())
            if prompt:
                self.members[which].take_up()
            self.nobody_shares_a_partition()

    @rule(which=MEMBERS)
    def take_up(self, which: int) -> None:
        self.members[which].take_up()

    @rule(which=MEMBERS)
    def beat_without_telling(self, which: int) -> None:
        if self.members[which].epoch:
            self.heard(self.members[which].beat(owned=None))

    @rule(which=MEMBERS)
    def beat_and_lose_the_answer(self, which: int) -> None:
        member = self.members[which]
        changes = member.subscription if member.epoch == 0 else {"owned": member.told}
        pulse = self.cluster.beat(member.member_id, member.epoch, **changes)
        if pulse.error is ErrorCode.none:
            member.last_heard = self.cluster.now

    @rule(which=MEMBERS, topics=SUBSCRIPTIONS)
    def subscribe(self, which: int, topics: set[str]) -> None:
        member = self.members[which]
        member.subscription = {**member.subscription, "topics": frozenset(topics)}
        self.heard(member.beat(topics=frozenset(topics)))

    @rule(which=MEMBERS)
    def leave(self, which: int) -> None:
        member = self.members[which]
        if member.epoch:
            self.cluster.beat(member.member_id, -1)
        member.lose_all()

    @rule(which=MEMBERS, topics=SUBSCRIPTIONS)
    def crash(self, which: int, topics: set[str]) -> None:
        """The client goes without a word, and another takes its place."""
        self.members[which] = self.fresh(frozenset(topics))

    @rule(duration=st.sampled_from([1, 500, SESSION_MS // 3, SESSION_MS, REBALANCE_MS]))
    def wait(self, duration: int) -> None:
        """Who hears nothing for as long as its session lasts, or gives up nothing in time, knows that it is out."""
        late = [member for member in self.members if self.gives_up(member)]
        self.cluster.advance(duration)
        for member in self.members:
            silent = self.cluster.now - member.last_heard >= SESSION_MS
            if silent or (member in late and member.member_id not in self.cluster.group.members):
                member.lose_all()

    def gives_up(self, member: Member) -> bool:
        known = self.cluster.group.members.get(member.member_id) if self.cluster.group else None
        return known is not None and known.progress.state is MemberState.UNREVOKED

    @rule(partitions=st.integers(1, 6))
    def make_again(self, partitions: int) -> None:
        self.cluster.topics.make("u", partitions)

    @rule()
    def restart(self) -> None:
        if self.cluster.group is not None:
            self.cluster.restart()

    @invariant()
    def nobody_shares_a_partition(self) -> None:
        owned = [partition for member in self.members for partition in member.owned]
        assert len(owned) == len(set(owned))

    @invariant()
    def epochs_only_grow(self) -> None:
        group = self.cluster.group
        if group is not None:
            assert group.epoch >= self.epoch
            self.epoch = group.epoch
            held = [partition for member in group.members.values() for partition in member.progress.held]
            assert sorted(held) == sorted(group._owners)

    def heard(self, error: ErrorCode) -> None:
        assert error in {
            ErrorCode.none,
            ErrorCode.fenced_member_epoch,
            ErrorCode.unknown_member_id,
            ErrorCode.group_id_not_found,
        }

    def teardown(self) -> None:
        """Left in peace, everything that anybody wants is shared, and evenly."""
        if not hasattr(self, "cluster"):
            return
        self.cluster.advance(SESSION_MS)
        for member in self.members:
            member.lose_all()
            member.slow = False
        for _ in range(6):
            for member in self.members:
                assert member.beat() in {ErrorCode.none, ErrorCode.fenced_member_epoch}
            self.nobody_shares_a_partition()
        assert self.cluster.group.state is GroupState.STABLE
        topics = self.cluster.topics.by_name()
        wanted = {name for member in self.members for name in member.subscription["topics"]} & set(topics)
        expected = {(topics[name].topic_id, index) for name in wanted for index in range(topics[name].partitions)}
        assert {partition for member in self.members for partition in member.owned} == expected
        if len({member.subscription["topics"] for member in self.members}) == 1 and self.assignor == "uniform":
            shares = [len(member.owned) for member in self.members]
            assert max(shares) - min(shares) <= 1


AnyOrder.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
