"""Consumer groups by a manual clock: joining, sharing, giving up, silence, static members, fences, restarts."""

from __future__ import annotations

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.groups.consumer.beat import Beat, problem
from millstream.broker.groups.consumer.group import GroupState
from millstream.broker.groups.groups import Committer
from millstream.broker.settings import DEFAULTS
from millstream.model import TopicPartition
from tests.broker.groups.consumer.client import REBALANCE_MS, Cluster, Member
from tests.broker.groups.topics import FakeTopics

OK = ErrorCode.none


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def pair(cluster: Cluster) -> tuple[Member, Member]:
    """Two members that share the topic."""
    first, second = Member(cluster, "a"), Member(cluster, "b")
    for member in (first, second, first, first, second):
        assert member.beat() is OK
    assert (first.indexes, second.indexes) == ([0, 1], [2, 3])
    assert cluster.group.state is GroupState.STABLE
    return first, second


def test_who_comes_alone_gets_everything_at_once(cluster: Cluster) -> None:
    alone = Member(cluster, "a")
    assert alone.beat() is OK
    assert (alone.epoch, alone.indexes) == (1, [0, 1, 2, 3])
    assert cluster.beat("a", 1).assignment is None, "nothing new"
    full: dict[str, Any] = {
        "topics": frozenset({"t"}),
        "rebalance_timeout_ms": REBALANCE_MS,
        "owned": alone.owned,
    }
    assert cluster.beat("a", 1, **full).assignment == alone.owned, "who tells everything is told everything"
    assert cluster.group.state is GroupState.STABLE


def test_a_partition_is_given_on_when_its_owner_has_let_go(cluster: Cluster) -> None:
    first, second = Member(cluster, "a"), Member(cluster, "b")
    first.beat()
    second.beat()
    assert (second.epoch, second.indexes) == (2, [])
    assert cluster.group.state is GroupState.RECONCILING
    second.beat()
    assert second.indexes == [], "the first has not been asked yet"
    had = first.owned
    assert first.beat(owned=had) is OK
    assert (first.epoch, first.indexes) == (1, [0, 1]), "it has still to say that it gave up the others"
    second.beat()
    assert second.indexes == []
    first.beat()
    assert first.epoch == 2
    second.beat()
    assert second.indexes == [2, 3]
    assert cluster.group.state is GroupState.STABLE


def test_who_says_nothing_of_its_partitions_has_given_up_none(cluster: Cluster) -> None:
    first, second = Member(cluster, "a"), Member(cluster, "b")
    first.beat()
    second.beat()
    first.beat(owned=None)
    assert cluster.beat("a", 1).epoch == 1
    second.beat()
    assert second.indexes == []


def test_leaving_lets_the_others_take_over(cluster: Cluster) -> None:
    first, second = pair(cluster)
    assert cluster.beat("a", -1).epoch == -1
    second.beat()
    assert second.indexes == [0, 1, 2, 3]
    assert first.beat() is ErrorCode.unknown_member_id
    cluster.beat("b", -1)
    assert cluster.group.state is GroupState.EMPTY
    assert cluster.groups.delete("g") is OK
    assert Member(cluster, "c").beat() is OK


def test_silence_ends_a_membership(cluster: Cluster) -> None:
    first, second = pair(cluster)
    cluster.advance(DEFAULTS.consumer_session_ms - 1)
    assert first.beat() is OK
    cluster.advance(1)
    first.beat()
    assert first.indexes == [0, 1, 2, 3]
    assert second.beat() is ErrorCode.unknown_member_id


def test_who_does_not_give_up_in_time_is_out(cluster: Cluster) -> None:
    first, second = Member(cluster, "a"), Member(cluster, "b")
    first.beat()
    second.beat()
    stubborn = first.owned
    for _ in range(REBALANCE_MS // 1000):
        cluster.beat("a", 1, owned=stubborn)
        second.beat()
        assert second.indexes == []
        cluster.advance(1000)
    second.beat()
    assert second.indexes == [0, 1, 2, 3]
    assert cluster.beat("a", 1, owned=stubborn).error is ErrorCode.unknown_member_id


def test_epochs_fence(cluster: Cluster) -> None:
    first, _ = pair(cluster)
    assert cluster.beat("a", first.epoch + 1).error is ErrorCode.fenced_member_epoch
    assert cluster.beat("a", first.epoch - 1).error is ErrorCode.fenced_member_epoch, "it doesn't say what it has"
    lost = cluster.beat("a", first.epoch - 1, owned=first.owned)
    assert (lost.error, lost.epoch) == (OK, first.epoch), "the answer was lost"
    too_much = cluster.group.members["b"].progress.assigned
    assert cluster.beat("a", first.epoch - 1, owned=too_much).error is ErrorCode.fenced_member_epoch
    assert cluster.beat("nobody", 1).error is ErrorCode.unknown_member_id
    assert Cluster().beat("a", 1).error is ErrorCode.group_id_not_found
    assert Cluster().beat("a", -1).error is ErrorCode.group_id_not_found
    again = Member(cluster, "a")
    again.beat()
    assert again.indexes == [0, 1], "who joins again under its id gets what it had"


def test_topics_that_come_grow_and_go(cluster: Cluster) -> None:
    alone = Member(cluster, "a", topics=frozenset({"t", "u"}))
    alone.beat()
    assert len(alone.owned) == 4
    cluster.topics.make("u", 2)
    alone.beat()
    assert (len(alone.owned), alone.epoch) == (6, 2)
    cluster.topics.grow("u", 3)
    alone.beat()
    assert len(alone.owned) == 7
    cluster.topics.make("other", 3)
    alone.beat()
    assert alone.epoch == 3, "a topic that nobody reads changes nothing"
    cluster.topics.delete("t")
    for _ in range(2):
        alone.beat()
    assert alone.indexes == [0, 1, 2]
    again = alone.owned
    cluster.topics.make("u", 3)
    for _ in range(3):
        alone.beat()
    assert alone.indexes == [0, 1, 2]
    assert not alone.owned & again, "a topic that is made again is another one"


def test_patterns_find_topics_also_later(cluster: Cluster) -> None:
    alone = Member(cluster, "a", topics=None, pattern="t|x-.*")
    alone.beat()
    assert len(alone.owned) == 4
    cluster.topics.make("x-1", 2)
    cluster.topics.make("y-1", 2)
    alone.beat()
    assert len(alone.owned) == 6
    alone.beat(pattern="", topics=frozenset({"y-1"}))
    alone.beat()
    assert alone.indexes == [0, 1]
    assert cluster.beat("b", 0, topics=None, pattern="(").error is ErrorCode.invalid_regular_expression
    assert cluster.beat("b", 0, topics=None, pattern="(?=t)").error is ErrorCode.invalid_regular_expression
    assert cluster.beat("b", 0, topics=None, pattern="a{1000}" * 140).error is ErrorCode.invalid_regular_expression
    assert list(cluster.group.members) == ["a"]


@pytest.mark.timeout(10)
def test_no_pattern_holds_up_the_broker() -> None:
    name = "t" * 200  # with this pattern Python's own expressions try 2 ** 200 ways
    cluster = Cluster(FakeTopics(**{name: 1, name + "b": 1}))
    alone = Member(cluster, "a", topics=None, pattern="(t|t)*b")
    alone.beat()
    assert alone.indexes == [0]


def test_members_may_want_different_topics() -> None:
    cluster = Cluster(FakeTopics(t=2, u=2))
    first = Member(cluster, "a", topics=frozenset({"t", "u"}))
    second = Member(cluster, "b", topics=frozenset({"u"}))
    for member in (first, second, first, first, second):
        member.beat()
    assert {topic for topic, _ in second.owned} == {cluster.topics.by_name()["u"].topic_id}
    assert len(first.owned) == len(second.owned) == 2


def test_the_assignor_that_most_ask_for(cluster: Cluster) -> None:
    assert cluster.beat("x", 0, assignor="random").error is ErrorCode.unsupported_assignor
    assert cluster.group is None
    members = [Member(cluster, name, assignor="range") for name in "ab"]
    for _ in range(3):
        for member in members:
            member.beat()
    assert [member.indexes for member in members] == [[0, 1], [2, 3]]
    assert cluster.group.assignor == "range"


def test_a_static_member_comes_back_to_its_partitions(cluster: Cluster) -> None:
    first, second = Member(cluster, "a", instance_id="one"), Member(cluster, "b", instance_id="two")
    for member in (first, second, first, first, second):
        member.beat(instance_id=member.subscription["instance_id"])
    epoch = cluster.group.epoch
    assert cluster.beat("c", 0, instance_id="two").error is ErrorCode.unreleased_instance_id
    assert cluster.beat("b", -2, instance_id="two").epoch == -2
    first.beat(instance_id="one")
    assert first.indexes == [0, 1], "they are kept for it"
    back = Member(cluster, "c", instance_id="two")
    back.beat()
    assert (back.indexes, cluster.group.epoch) == ([2, 3], epoch), "nobody else is disturbed"
    assert cluster.beat("b", epoch, instance_id="two").error is ErrorCode.fenced_instance_id
    assert cluster.beat("c", epoch, instance_id="three").error is ErrorCode.unknown_member_id


def test_a_static_member_that_stays_away_is_out(cluster: Cluster) -> None:
    first, second = Member(cluster, "a"), Member(cluster, "b", instance_id="two")
    first.beat()
    second.beat()
    first.beat()
    first.beat()
    second.beat(instance_id="two")
    cluster.beat("b", -2, instance_id="two")
    for _ in range(3):
        cluster.advance(DEFAULTS.consumer_session_ms / 3)
        first.beat()
    assert first.indexes == [0, 1, 2, 3]
    assert cluster.group.static == {}


def test_members_go_on_after_a_restart(cluster: Cluster) -> None:
    first, second = pair(cluster)
    third = Member(cluster, "c")
    third.beat()
    first.beat()
    cluster.restart()
    for _ in range(3):
        for member in (first, second, third):
            assert member.beat() is OK
    assert sorted(first.indexes + second.indexes + third.indexes) == [0, 1, 2, 3]
    cluster.restart()
    cluster.advance(DEFAULTS.consumer_session_ms)
    assert cluster.group.state is GroupState.EMPTY


def test_commits_are_fenced_by_the_epoch(cluster: Cluster) -> None:
    first, second = pair(cluster)
    groups = cluster.groups

    def check(member_id: str, epoch: int, index: int = 0) -> tuple[ErrorCode | None, ...]:
        who = Committer("g", member_id, None, epoch)
        partitions = [TopicPartition("t", index)]
        return (
            groups.commit_problem(who, 0, partitions),
            groups.transactional_commit_problem(who, 0, partitions),
            groups.fetch_problem(who),
        )

    stale, unknown = ErrorCode.stale_member_epoch, ErrorCode.unknown_member_id
    assert check("a", first.epoch) == (None, None, None)
    assert check("a", first.epoch - 1) == (None, None, stale), "it has had this one since then (KIP-1251)"
    for refused in (check("a", first.epoch - 1, 2), check("b", second.epoch - 1, 2), check("a", first.epoch + 1)):
        assert refused == (stale, ErrorCode.illegal_generation, stale)
    assert check("nobody", 1) == (unknown, unknown, unknown)
    assert check("", -1) == (unknown, None, None)
    cluster.beat("a", -1)
    cluster.beat("b", -1)
    assert check("", -1) == (None, None, None), "without members anybody may commit"


def test_a_group_is_of_one_protocol_at_a_time(cluster: Cluster) -> None:
    groups = cluster.groups
    groups.know("g")
    assert groups.become_consumer("g") is None
    assert groups.classic.get("g") is None
    member = Member(cluster, "a")
    member.beat()
    assert groups.become_classic("g") is ErrorCode.inconsistent_group_protocol
    assert groups.delete("g") is ErrorCode.non_empty_group
    assert groups.subscribed("g") == {"t"}
    cluster.beat("a", -1)
    assert groups.become_classic("g") is None
    assert groups.consumer.get("g") is None


def test_groups_without_members_expire(cluster: Cluster) -> None:
    member = Member(cluster, "a")
    member.beat()
    cluster.groups.expire(0, 10)
    cluster.groups.expire(100, 10)
    assert cluster.group is not None
    cluster.beat("a", -1)
    for wall_ms in (200, 210):
        cluster.groups.expire(wall_ms, 10)
    assert cluster.group is None
    cluster.groups.restore(0)
    assert cluster.group is None


JOINS: dict[str, Any] = {
    "group_id": "g",
    "member_id": "a",
    "epoch": 0,
    "instance_id": None,
    "rack_id": None,
    "client_id": "c",
    "client_host": "/h",
    "rebalance_timeout_ms": 1,
    "topics": frozenset({"t"}),
    "pattern": None,
    "assignor": None,
    "owned": frozenset(),
}


@pytest.mark.parametrize(
    ("changes", "version", "says"),
    [
        ({}, 1, None),
        ({"topics": None, "pattern": "t"}, 1, None),
        ({"member_id": ""}, 0, None),
        ({"member_id": ""}, 1, "MemberId"),
        ({"member_id": "", "epoch": 1}, 0, "MemberId"),
        ({"group_id": ""}, 1, "GroupId"),
        ({"instance_id": ""}, 1, "InstanceId"),
        ({"epoch": -3}, 1, "MemberEpoch"),
        ({"epoch": -2}, 1, "InstanceId"),
        ({"epoch": -1, "topics": None, "owned": None}, 1, None),
        ({"rebalance_timeout_ms": -1}, 1, "RebalanceTimeoutMs"),
        ({"owned": None}, 1, "TopicPartitions"),
        ({"topics": None}, 1, "SubscribedTopicNames"),
    ],
)
def test_heartbeats_that_make_no_sense(changes: dict[str, Any], version: int, says: str | None) -> None:
    text = problem(Beat(**{**JOINS, **changes}), version)
    assert (text is None) if says is None else (text is not None and says in text)
