"""Groups by a manual clock: joining, syncing, silence, leaving, static members, fences, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.groups.coordinator import JoinRequest, SyncRequest
from millstream.broker.groups.group import State
from millstream.broker.groups.groups import Committer, Groups
from millstream.broker.journal import Journal
from millstream.broker.protocol.answers.groups import Joined, Synced
from millstream.broker.settings import BrokerSettings
from millstream.broker.timers import Timers
from tests.broker.groups.topics import FakeTopics

SESSION_MS = 10_000
REBALANCE_MS = 60_000
RANGE = (("range", b"r"),)


class Cluster:
    """A coordinator, its clock, and members that speak as clients do."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal(None)
        self.timers = Timers()
        self.now = 0.0
        ids = count(1)
        self.groups = Groups(self.journal, self.timers, lambda: str(next(ids)), FakeTopics())
        self.groups.restore(0)
        self.coordinator = self.groups.classic

    def advance(self, duration_ms: float) -> None:
        end = self.now + duration_ms
        while (deadline := self.timers.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.timers.fire(self.now)
        self.now = end

    def join(self, member_id: str = "", *, known_id: bool = False, **changes: Any) -> list[Joined]:
        fields: dict[str, Any] = {
            "instance_id": None,
            "session_timeout_ms": SESSION_MS,
            "rebalance_timeout_ms": REBALANCE_MS,
            "protocol_type": "consumer",
            "protocols": RANGE,
            "can_skip_assignment": False,
            **changes,
        }
        answers: list[Joined] = []
        request = JoinRequest("g", member_id, client_id="c", client_host="/h", requires_known_id=known_id, **fields)
        self.coordinator.join(request, self.now, answers.append)
        return answers

    def sync(self, joined: Joined, assignments: dict[str, bytes] | None = None, **changes: Any) -> list[Synced]:
        fields = {
            "instance_id": None,
            "generation": joined.generation_id,
            "protocol_type": "consumer",
            "protocol_name": joined.protocol_name,
            **changes,
        }
        answers: list[Synced] = []
        request = SyncRequest("g", joined.member_id, assignments=assignments or {}, **fields)
        self.coordinator.sync(request, self.now, answers.append)
        return answers

    def heartbeat(self, joined: Joined, instance_id: str | None = None) -> ErrorCode:
        return self.coordinator.heartbeat("g", joined.member_id, instance_id, joined.generation_id, self.now)

    def state(self) -> State:
        group = self.coordinator.get("g")
        assert group is not None
        return group.state

    def stable_pair(self) -> tuple[Joined, Joined]:
        """Two members, the first of them leader, with assignments `one` and `two`."""
        first, second = self.join(), self.join()
        self.advance(20)
        leader, follower = first[0], second[0]
        waiting = self.sync(follower)
        assert waiting == []
        done = self.sync(leader, {leader.member_id: b"one", follower.member_id: b"two"})
        assert (done[0].assignment, waiting[0].assignment) == (b"one", b"two")
        return leader, follower


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    yield Cluster()


def test_members_that_come_together_share_the_first_generation(cluster: Cluster) -> None:
    leader, follower = cluster.stable_pair()
    assert leader.generation_id == follower.generation_id == 1
    assert leader.leader == follower.leader == leader.member_id
    assert [member.member_id for member in leader.members] == [leader.member_id, follower.member_id]
    assert follower.members == ()
    assert cluster.state() is State.STABLE
    assert cluster.heartbeat(leader) is ErrorCode.none


def test_new_clients_first_get_a_member_id(cluster: Cluster) -> None:
    asked = cluster.join(known_id=True)[0]
    assert asked.error_code is ErrorCode.member_id_required
    answers = cluster.join(asked.member_id, known_id=True)
    cluster.advance(20)
    assert answers[0].error_code is ErrorCode.none
    assert answers[0].member_id == asked.member_id


def test_a_third_member_makes_everybody_join_again(cluster: Cluster) -> None:
    leader, follower = cluster.stable_pair()
    third = cluster.join()
    assert cluster.heartbeat(leader) is ErrorCode.rebalance_in_progress
    again = cluster.join(leader.member_id)
    assert third == again == []
    last = cluster.join(follower.member_id)
    assert [each[0].generation_id for each in (again, last, third)] == [2, 2, 2]
    assert len(again[0].members) == 3
    assert cluster.heartbeat(again[0]) is ErrorCode.none, "between join and sync, heartbeats are in order"


def test_members_that_do_not_join_again_are_out_after_the_rebalance_timeout(cluster: Cluster) -> None:
    leader, follower = cluster.stable_pair()
    third = cluster.join()
    cluster.join(leader.member_id)
    for _ in range(8):
        cluster.advance(SESSION_MS - 1)
        cluster.heartbeat(follower)
    assert third[0].generation_id == 2
    assert cluster.heartbeat(follower) is ErrorCode.unknown_member_id


def test_silence_ends_a_membership_after_the_session_timeout(cluster: Cluster) -> None:
    leader, follower = cluster.stable_pair()
    cluster.advance(SESSION_MS - 1)
    assert cluster.heartbeat(leader) is ErrorCode.none
    cluster.advance(1)
    assert cluster.heartbeat(leader) is ErrorCode.rebalance_in_progress
    again = cluster.join(leader.member_id)
    assert again[0].generation_id == 2
    assert len(again[0].members) == 1
    assert cluster.heartbeat(follower) is ErrorCode.unknown_member_id


def test_leaving_lets_the_others_take_over_at_once(cluster: Cluster) -> None:
    leader, follower = cluster.stable_pair()
    assert cluster.coordinator.leave("g", leader.member_id, None, cluster.now).error_code is ErrorCode.none
    again = cluster.join(follower.member_id)
    assert again[0].leader == follower.member_id
    assert cluster.coordinator.leave("g", "nobody", None, cluster.now).error_code is ErrorCode.unknown_member_id


def test_the_last_to_leave_leaves_an_empty_group(cluster: Cluster) -> None:
    for joined in cluster.stable_pair():
        cluster.coordinator.leave("g", joined.member_id, None, cluster.now)
    assert cluster.state() is State.EMPTY
    assert cluster.groups.delete("g") is ErrorCode.none
    assert cluster.groups.delete("g") is ErrorCode.group_id_not_found


def test_a_rebalance_while_others_wait_for_the_leader(cluster: Cluster) -> None:
    first, second = cluster.join(), cluster.join()
    cluster.advance(20)
    waiting = cluster.sync(second[0])
    cluster.join()
    assert waiting[0].error_code is ErrorCode.rebalance_in_progress
    assert cluster.sync(first[0])[0].error_code is ErrorCode.rebalance_in_progress


def test_a_leader_that_never_syncs_is_out(cluster: Cluster) -> None:
    first, second = cluster.join(), cluster.join()
    cluster.advance(20)
    waiting = cluster.sync(second[0])
    while not waiting:
        cluster.heartbeat(first[0])
        cluster.advance(1000)
    assert waiting[0].error_code is ErrorCode.rebalance_in_progress
    assert REBALANCE_MS <= cluster.now <= REBALANCE_MS + 2000
    assert cluster.join(second[0].member_id)[0].leader == second[0].member_id


def test_joining_again_unchanged_disturbs_nobody_unless_one_leads(cluster: Cluster) -> None:
    leader, follower = cluster.stable_pair()
    assert cluster.join(follower.member_id)[0].generation_id == 1
    assert cluster.state() is State.STABLE
    assert cluster.join(leader.member_id) == []
    assert cluster.state() is State.PREPARING


def test_the_assignor_that_most_prefer_of_those_that_all_know(cluster: Cluster) -> None:
    both = (("sticky", b"s"), ("range", b"r"))
    first = cluster.join(protocols=both)
    cluster.join(protocols=both)
    cluster.join(protocols=RANGE)
    cluster.advance(20)
    assert first[0].protocol_name == "range"
    assert {member.metadata for member in first[0].members} == {b"r"}


def test_strangers_are_refused(cluster: Cluster) -> None:
    cluster.stable_pair()
    assert cluster.join("stranger")[0].error_code is ErrorCode.unknown_member_id
    assert cluster.join(protocols=(("other", b""),))[0].error_code is ErrorCode.inconsistent_group_protocol
    assert cluster.join(protocol_type="connect")[0].error_code is ErrorCode.inconsistent_group_protocol
    assert cluster.join(session_timeout_ms=5_999)[0].error_code is ErrorCode.invalid_session_timeout
    assert cluster.join(session_timeout_ms=1_800_001)[0].error_code is ErrorCode.invalid_session_timeout


def test_another_generation_may_not_sync_beat_or_commit(cluster: Cluster) -> None:
    leader, _ = cluster.stable_pair()
    assert cluster.sync(leader, generation=0)[0].error_code is ErrorCode.illegal_generation
    assert cluster.sync(leader, protocol_name="other")[0].error_code is ErrorCode.inconsistent_group_protocol
    check = cluster.coordinator.commit_problem
    assert check("g", leader.member_id, None, 0, cluster.now) is ErrorCode.illegal_generation
    assert check("g", leader.member_id, None, 1, cluster.now) is None
    assert check("g", "", None, -1, cluster.now) is ErrorCode.unknown_member_id
    assert check("new", "", None, -1, cluster.now) is None
    assert check("new", "m", None, 3, cluster.now) is ErrorCode.illegal_generation


def test_commits_wait_for_the_assignment(cluster: Cluster) -> None:
    first = cluster.join()
    cluster.advance(20)
    check = cluster.coordinator.commit_problem
    assert check("g", first[0].member_id, None, 1, cluster.now) is ErrorCode.rebalance_in_progress


def test_a_static_member_comes_back_to_its_place(cluster: Cluster) -> None:
    leader = cluster.join(instance_id="a")
    follower = cluster.join(instance_id="b")
    cluster.advance(20)
    cluster.sync(leader[0], {follower[0].member_id: b"two"}, instance_id="a")
    back = cluster.join(instance_id="b")[0]
    assert back.error_code is ErrorCode.none
    assert back.generation_id == 1
    assert back.member_id != follower[0].member_id
    assert cluster.state() is State.STABLE
    assert cluster.sync(back, instance_id="b")[0].assignment == b"two"
    assert cluster.heartbeat(follower[0], "b") is ErrorCode.fenced_instance_id


@pytest.mark.parametrize("can_skip", [True, False])
def test_a_static_leader_comes_back(cluster: Cluster, can_skip: bool) -> None:
    leader = cluster.join(instance_id="a")
    cluster.advance(20)
    cluster.sync(leader[0], {leader[0].member_id: b"one"}, instance_id="a")
    back = cluster.join(instance_id="a", can_skip_assignment=can_skip)[0]
    assert back.skip_assignment is can_skip
    assert (back.leader == back.member_id) is can_skip, "a client that cannot skip must not think that it leads"
    assert cluster.sync(back, instance_id="a")[0].assignment == b"one"


def test_a_static_member_may_be_away_for_a_rebalance_and_leaves_by_its_instance(cluster: Cluster) -> None:
    cluster.join(instance_id="a")
    cluster.advance(20)
    left = cluster.coordinator.leave("g", "", "a", cluster.now)
    assert left.error_code is ErrorCode.none
    assert cluster.state() is State.EMPTY


def test_members_go_on_after_a_restart(cluster: Cluster) -> None:
    leader, follower = cluster.stable_pair()
    again = Cluster(cluster.journal)
    assert again.heartbeat(leader) is ErrorCode.none
    assert again.sync(follower)[0].assignment == b"two"
    again.advance(SESSION_MS)
    assert again.state() in {State.EMPTY, State.PREPARING}
    assert again.heartbeat(leader) is ErrorCode.unknown_member_id


def test_a_group_with_members_is_not_deleted(cluster: Cluster) -> None:
    cluster.stable_pair()
    assert cluster.groups.delete("g") is ErrorCode.non_empty_group


def test_a_follower_that_never_asks_for_its_assignment_is_out(cluster: Cluster) -> None:
    first, second = cluster.join(), cluster.join()
    cluster.advance(20)
    leader, follower = first[0], second[0]
    cluster.sync(leader, {leader.member_id: b"one", follower.member_id: b"two"})
    assert cluster.state() is State.STABLE
    for _ in range(REBALANCE_MS // 1000 - 1):
        cluster.advance(1000)
        assert [cluster.heartbeat(each) for each in (leader, follower)] == [ErrorCode.none] * 2
    cluster.advance(1000)
    assert cluster.heartbeat(leader) is ErrorCode.rebalance_in_progress
    assert cluster.heartbeat(follower) is ErrorCode.unknown_member_id


def test_those_who_have_all_synced_are_left_in_peace(cluster: Cluster) -> None:
    leader, follower = cluster.stable_pair()
    for _ in range(2 * REBALANCE_MS // 1000):
        cluster.advance(1000)
        assert [cluster.heartbeat(each) for each in (leader, follower)] == [ErrorCode.none] * 2


def test_a_group_has_as_many_members_as_it_may(cluster: Cluster) -> None:
    cluster.coordinator._settings = BrokerSettings(group_members=2)
    leader, follower = cluster.stable_pair()
    assert cluster.join(known_id=True)[0].error_code is ErrorCode.group_max_size_reached
    assert cluster.state() is State.STABLE
    again = cluster.join(leader.member_id)
    assert cluster.join() == []
    assert cluster.join(follower.member_id)[0].error_code is ErrorCode.group_max_size_reached, "two were quicker"
    cluster.advance(REBALANCE_MS)
    assert (again[0].error_code, len(again[0].members)) == (ErrorCode.none, 2)


def test_ids_that_were_given_out_count_as_well(cluster: Cluster) -> None:
    cluster.coordinator._settings = BrokerSettings(group_members=2)
    asked = [cluster.join(known_id=True)[0] for _ in range(3)]
    assert [each.error_code for each in asked] == [
        ErrorCode.member_id_required,
        ErrorCode.member_id_required,
        ErrorCode.group_max_size_reached,
    ]
    joined = [cluster.join(each.member_id, known_id=True) for each in asked[:2]]
    cluster.advance(20)
    assert [each[0].error_code for each in joined] == [ErrorCode.none] * 2


def test_a_commit_tells_the_generation_of_its_member(cluster: Cluster) -> None:
    leader, _ = cluster.stable_pair()
    check = cluster.groups.commit_problem
    assert check(Committer("g", leader.member_id, None, -1), cluster.now) is ErrorCode.illegal_generation
    assert check(Committer("g", "", None, -1), cluster.now) is ErrorCode.unknown_member_id
    assert cluster.groups.transactional_commit_problem(Committer("g"), cluster.now) is None


def test_commits_in_transactions_need_not_wait_for_the_assignment(cluster: Cluster) -> None:
    joined = cluster.join()
    cluster.advance(20)
    who = Committer("g", joined[0].member_id, None, 1)
    assert cluster.groups.commit_problem(who, cluster.now) is ErrorCode.rebalance_in_progress
    assert cluster.groups.transactional_commit_problem(who, cluster.now) is None
