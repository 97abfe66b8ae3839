from __future__ import annotations

from collections.abc import Iterator

import pytest

from millstream.client.contract import CommitOutcome, CommittedOffset, GroupChange, Membership
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from tests.client.brokers import unique
from tests.client.until import until


class Member:
    """A membership with what it has reported so far."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.changes: list[GroupChange] = []
        self.outcomes: list[CommitOutcome] = []
        self.closed = False

    def poll(self) -> None:
        for event in self.membership.poll(timeout_ms=20):
            if isinstance(event, GroupChange):
                self.changes.append(event)
            elif isinstance(event, CommitOutcome):
                self.outcomes.append(event)

    def owned(self) -> set[int]:
        owned: set[int] = set()
        for change in self.changes:
            numbers = {source.partition for source in change.partitions}
            owned = owned | numbers if change.kind == "assigned" else owned - numbers
        return owned

    def of_kind(self, kind: str) -> list[GroupChange]:
        return [change for change in self.changes if change.kind == kind]

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.membership.close()


@pytest.fixture
def join(client: LibrdkafkaClient, new_topic) -> Iterator:
    topic, group, members = new_topic("tasks", 4), unique("group"), []

    def joined() -> Member:
        members.append(Member(client.membership(group, topic)))
        return members[-1]

    yield joined
    for member in members:
        member.close()


def together(members: list[Member], reached) -> None:
    def step() -> bool:
        for member in members:
            member.poll()
        return reached()

    until(step)


def test_a_lone_member_gets_everything(join):
    member = join()
    together([member], lambda: member.owned() == {0, 1, 2, 3})


def test_revoked_partitions_stay_until_they_are_released(join, new_topic):
    first = join()
    together([first], lambda: len(first.owned()) == 4)
    second = join()
    together([first, second], lambda: first.of_kind("revoked"))
    (revoked,) = first.of_kind("revoked")
    assert len(revoked.partitions) == 2

    source = TopicPartition(new_topic("input"), 0)
    first.membership.commit({source: CommittedOffset(7, "meta")})
    together([first, second], lambda: first.outcomes)
    assert first.outcomes[0].error is None
    assert second.owned() == set()

    first.membership.release(revoked.partitions[:1])
    for _ in range(10):
        together([first, second], lambda: True)
    assert second.owned() == set()
    first.membership.release(revoked.partitions[1:])
    together([first, second], lambda: len(second.owned()) == 2)
    assert first.owned() | second.owned() == {0, 1, 2, 3}
    assert first.of_kind("lost") == []


def test_after_a_clean_close_the_others_take_over(join):
    first, second = join(), join()
    members = [first, second]

    def share() -> bool:
        for member in members:
            for change in member.of_kind("revoked"):
                member.membership.release(change.partitions)
        return len(first.owned()) == len(second.owned()) == 2

    together(members, share)
    first.close()
    together([second], lambda: second.owned() == {0, 1, 2, 3})


def test_offsets_of_any_topic_are_committed_with_their_metadata(join, new_topic):
    member = join()
    together([member], lambda: len(member.owned()) == 4)
    first, second = TopicPartition(new_topic("input", 4), 3), TopicPartition(new_topic("input"), 0)
    member.membership.commit({first: CommittedOffset(12, "AgAAAAAAAACM"), second: CommittedOffset(0)})
    together([member], lambda: member.outcomes)
    (outcome,) = member.outcomes
    assert outcome.error is None
    assert outcome.offsets == {first: CommittedOffset(12, "AgAAAAAAAACM"), second: CommittedOffset(0)}
    stored = member.membership.committed([first, second, TopicPartition(first.topic, 0)], timeout_ms=10_000)
    assert stored == {first: CommittedOffset(12, "AgAAAAAAAACM"), second: CommittedOffset(0)}


def test_without_a_broker_the_committed_offsets_are_an_error_within_the_limit():
    member = LibrdkafkaClient("127.0.0.1:1").membership("g", "t")
    with pytest.raises(KafkaError, match="committed offsets") as caught:
        member.committed([TopicPartition("t", 0)], timeout_ms=100)
    assert caught.value.retriable
    member.close()
