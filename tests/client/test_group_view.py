"""A group seen from outside; and that the place of standby copies is where the assignor of librdkafka gives tasks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millstream.client.librdkafka import LibrdkafkaClient
from millstream.model import TopicPartition
from millstream.runtime.placement import successors
from tests.client.brokers import unique
from tests.client.test_membership import Member, together
from tests.client.until import until

TASKS = 10


class Group:
    """Members of one group over a topic with ten partitions, and a view of it."""

    def __init__(self, client: LibrdkafkaClient, topic: str) -> None:
        self.name, self.topic, self.members = unique("group"), topic, list[Member]()
        self._client = client
        self._released: set[int] = set()
        self.view = client.group_view(self.name)

    def join(self, client: str | None = None) -> Member:
        self.members.append(Member(self._client.membership(self.name, self.topic, client=client)))
        return self.members[-1]

    def settle(self, members: list[Member]) -> None:
        def shared() -> bool:
            for change in [change for member in members for change in member.of_kind("revoked")]:
                if id(change) not in self._released:
                    self._released.add(id(change))
                    next(m for m in members if change in m.changes).membership.release(change.partitions)
            counts = [len(member.owned()) for member in members]
            return sum(counts) == TASKS and max(counts) - min(counts) < 2

        together(members, shared)

    def seen(self, polled: list[Member]):
        def look():
            for member in polled:
                member.poll()
            self.view.ask()
            return self.view.members()

        return until(look)

    def close(self) -> None:
        self.view.close()
        for member in self.members:
            member.close()


@pytest.fixture
def group(client: LibrdkafkaClient, new_topic) -> Iterator[Group]:
    made = Group(client, new_topic("tasks", TASKS))
    yield made
    made.close()


def test_members_are_seen_with_their_names_and_their_partitions(group):
    members = [group.join("app@here"), group.join("app@there")]
    group.settle(members)
    seen = {each.id: each for each in group.seen(members)}
    assert set(seen) == {each.membership.member_id() for each in members}
    for member, name in zip(members, ("app@here", "app@there"), strict=True):
        found = seen[member.membership.member_id()]
        assert found.client == name
        assert {source.partition for source in found.partitions} == member.owned()


def test_a_group_that_there_is_not_is_not_seen(client):
    view = client.group_view(unique("nobody"))
    view.ask()
    for _ in range(20):
        assert not view.members()
    view.close()


@pytest.mark.parametrize("gone", [0, 2])
def test_tasks_of_a_member_that_ends_go_where_they_were_expected(group, gone):
    members = [group.join() for _ in range(4)]
    group.settle(members)
    ending = members[gone]
    owned = {each.id: each.partitions for each in group.seen(members)}
    expected = successors(owned, frozenset({ending.membership.member_id()}))
    before = {member.membership.member_id(): member.owned() for member in members}
    rest = [member for member in members if member is not ending]
    ending.close()
    group.settle(rest)
    for member in rest:
        name = member.membership.member_id()
        given = {TopicPartition(group.topic, number) for number in member.owned() - before[name]}
        assert given == {task for task, at in expected.items() if at == name}
