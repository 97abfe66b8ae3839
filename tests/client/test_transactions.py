"""Transactions through the client, on both brokers (X5)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from millstream.client.contract import CommittedOffset, StepDone
from millstream.client.librdkafka import LibrdkafkaClient, transactions
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from tests.client.brokers import unique
from tests.client.test_data_consumer import rows
from tests.client.test_membership import Member
from tests.client.until import until

ILLEGAL_GENERATION = 22


class Writer:
    """A transactional producer, and its steps waited for."""

    def __init__(self, client: LibrdkafkaClient, transactional_id: str) -> None:
        self.producer = client.transactional_producer(transactional_id, timeout_ms=10_000)
        self.done("init")

    def done(self, step: str, *arguments: object) -> None:
        problem = self.failed(step, *arguments)
        assert problem is None, problem

    def failed(self, step: str, *arguments: object) -> KafkaError | None:
        name = "send_offsets" if step == "offsets" else step
        while True:
            getattr(self.producer, name)(*arguments)
            outcome = until(lambda: self.producer.outcome(timeout_ms=50))
            assert isinstance(outcome, StepDone)
            assert outcome.step == step
            if outcome.error is None or not outcome.error.retriable:
                return outcome.error

    def write(self, target: TopicPartition, *values: bytes) -> None:
        self.producer.begin()
        assert self.producer.produce(rows(target, *values)) == len(values)

        def flushed() -> bool:
            assert not self.producer.poll(timeout_ms=50).failures
            return self.producer.outstanding() == 0

        until(flushed)


@pytest.fixture
def writer(client: LibrdkafkaClient) -> Iterator:
    made: list[Writer] = []

    def make(transactional_id: str) -> Writer:
        made.append(Writer(client, transactional_id))
        return made[-1]

    yield make
    for each in made:
        each.producer.close()


def committed_values(client: LibrdkafkaClient, source: TopicPartition) -> tuple[list[bytes | None], int]:
    """The values up to the last stable offset, and that."""
    consumer = client.data_consumer("test", read_committed=True)
    consumer.assign({source: 0})
    values: list[bytes | None] = []

    def at_the_end() -> int | None:
        fetched = consumer.poll(max_records=100, timeout_ms=50)
        for batch in fetched.batches:
            values.extend(batch.values)
        return next((end.offset + 1 for end in fetched.ends), None)

    end = until(at_the_end) - 1
    consumer.close()
    return values, end


def test_readers_of_committed_records_see_a_transaction_when_it_is_committed(client, new_topic, writer):
    target, own = TopicPartition(new_topic(), 0), writer(unique("id"))
    own.write(target, b"a", b"b")
    assert committed_values(client, target) == ([], 0)
    own.done("commit")
    assert committed_values(client, target) == ([b"a", b"b"], 3), "the mark of the commit is behind them"


def test_an_aborted_transaction_is_never_seen(client, new_topic, writer):
    target, own = TopicPartition(new_topic(), 0), writer(unique("id"))
    own.write(target, b"a")
    own.done("abort")
    own.write(target, b"b")
    own.done("commit")
    assert committed_values(client, target)[0] == [b"b"]


def test_the_end_is_behind_what_is_not_committed_yet(client, new_topic, writer):
    target, own = TopicPartition(new_topic(), 0), writer(unique("id"))
    own.write(target, b"a", b"b")
    consumer = client.data_consumer("test", read_committed=True)
    assert consumer.watermarks(target, timeout_ms=5_000) == (0, 2)
    consumer.close()


def test_another_producer_with_the_same_id_ends_what_was_open_and_fences_the_first(client, new_topic, writer):
    target, name = TopicPartition(new_topic(), 0), unique("id")
    first = writer(name)
    first.write(target, b"a")
    second = writer(name)
    second.write(target, b"b")
    second.done("commit")
    problem = first.failed("commit")
    assert problem is not None
    assert problem.fatal
    assert committed_values(client, target)[0] == [b"b"]


@pytest.fixture
def members(client: LibrdkafkaClient, new_topic) -> Iterator:
    topic, group, made = new_topic("tasks", 2), unique("group"), []

    def join() -> Member:
        made.append(Member(client.membership(group, topic, read_committed=True)))
        return made[-1]

    yield join
    for member in made:
        member.close()


def owning(member: Member, count: int, *others: Member) -> None:
    def there() -> bool:
        for each in (member, *others):
            each.poll()
            for change in each.of_kind("revoked"):
                each.membership.release(change.partitions)
        return len(member.owned()) == count

    until(there)


def test_offsets_are_committed_with_the_transaction(client, new_topic, writer, members):
    source, own, member = TopicPartition(new_topic(), 0), writer(unique("id")), members()
    assert member.membership.group_metadata() is None, "not a member yet"
    owning(member, 2)
    own.write(source, b"a")
    own.done("offsets", {source: CommittedOffset(7, "note")}, member.membership.group_metadata())
    with pytest.raises(KafkaError) as waiting:
        member.membership.committed([source], timeout_ms=300)
    assert waiting.value.retriable, "nobody may go on from offsets that are not settled"
    own.done("commit")
    assert member.membership.committed([source], timeout_ms=10_000) == {source: CommittedOffset(7, "note")}


def test_offsets_of_an_older_generation_are_refused_and_the_transaction_can_be_aborted(
    client, new_topic, writer, members
):
    source, own, member = TopicPartition(new_topic(), 0), writer(unique("id")), members()
    owning(member, 2)
    before = member.membership.group_metadata()
    owning(members(), 1, member)
    own.write(source, b"a")
    problem = own.failed("offsets", {source: CommittedOffset(7)}, before)
    assert problem is not None
    assert (problem.code, problem.fatal, problem.retriable) == (ILLEGAL_GENERATION, False, False)
    own.done("abort")
    own.write(source, b"b")
    own.done("offsets", {source: CommittedOffset(8)}, member.membership.group_metadata())
    own.done("commit")
    assert committed_values(client, source)[0] == [b"b"]


def test_a_call_that_does_not_come_back_is_given_up(monkeypatch):
    """Known of librdkafka: `send_offsets_to_transaction` may never return, whatever its timeout."""
    monkeypatch.setattr(transactions, "WATCHDOG_S", 0.05)
    monkeypatch.setattr(transactions, "STEP_S", 5.0)
    nowhere = LibrdkafkaClient("127.0.0.1:1").transactional_producer("id", timeout_ms=10_000)
    nowhere.init()
    with pytest.raises(KafkaError, match="still under way"):
        nowhere.init()
    outcome = until(lambda: nowhere.outcome(timeout_ms=20))
    assert outcome.error.fatal
    assert "has not come back" in str(outcome.error)
    before = threading.active_count()
    nowhere.close()
    assert threading.active_count() == before, "left behind: waiting for it could take forever"
