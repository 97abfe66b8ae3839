"""Results that the broker, or the client that should send them, does not take (rules X16, X19), on both brokers."""

from __future__ import annotations

import pytest
from tests.client.brokers import unique
from tests.runtime.running import EVENT_TIME, read_all, read_partition, running, write

import millstream as ms
from millstream.app import App
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.errors import KafkaError, MillstreamError, ProcessingError
from millstream.model import TopicPartition

SMALL = 1_000  # the most that the topic takes
HUGE = 1_500_000  # more than the client sends
PLAIN = {"compression.type": "none", "linger.ms": 50}  # all of a round in one batch, as large as it is


@pytest.fixture
def client(bootstrap) -> LibrdkafkaClient:
    return LibrdkafkaClient(bootstrap, producer=PLAIN)


@pytest.fixture
def topics(new_topic) -> tuple[str, str, str]:
    return new_topic("in"), new_topic("out", **{"max.message.bytes": str(SMALL)}), new_topic("dead")


def repeated(topics, **settings) -> App:
    source, sink, dead = topics
    given = {"commit_interval": "200ms", "on_send_error": "skip", "dead_letters": dead, **settings}
    app = App(unique("app"), **given)
    app.stream(source, key=str, value=str).map_values(lambda v: "x" * int(v), value=str, name="long").to(sink)
    return app


def give(client, topics, *sizes: int) -> None:
    rows = [(b"k%d" % at, b"%d" % size, EVENT_TIME + at) for at, size in enumerate(sizes)]
    write(client, topics[0], rows, 1)


def keys(client, topic: str, **how) -> list[bytes | None]:
    return [key for key, _, _ in read_all(client, topic, 1, **how)]


def test_the_one_record_that_is_too_large_is_skipped_and_a_dead_letter(client, topics):
    give(client, topics, 1, 2, 3 * SMALL, 4, 5)
    with running(repeated(topics), client) as worker:
        final = worker.until(lambda status: status.records == 5 and status.idle and status.commits > 0)
        final = worker.stop()
    assert sorted(keys(client, topics[1])) == [b"k0", b"k1", b"k3", b"k4"]
    assert (final.dropped, final.dead_letters, final.sent - final.acknowledged) == (1, 1, final.refused)
    assert read_all(client, topics[2], 1) == [(b"k2", b"3000", EVENT_TIME + 2)], "its source record"
    give(client, topics, 6)
    with running(repeated(topics), client) as worker:
        worker.until(lambda status: status.records >= 1 and status.idle)


def test_a_dead_letter_says_which_record_and_why(client, topics):
    give(client, topics, 1, 3 * SMALL)
    with running(repeated(topics), client) as worker:
        worker.until(lambda status: status.records == 2 and status.idle)
        worker.stop()
    consumer = client.data_consumer("test")
    consumer.assign({TopicPartition(topics[2], 0): 0})
    batches = []
    while not batches:
        batches += consumer.poll(max_records=10, timeout_ms=100).batches
    consumer.close()
    headers = dict(batches[0].headers[0])
    assert headers["__streams.errors.exception"] == b"millstream.errors.KafkaError"
    assert b"too large" in headers["__streams.errors.message"]
    assert (headers["__streams.errors.topic"], headers["__streams.errors.offset"]) == (topics[0].encode(), b"1")


def test_a_function_sees_the_source_record_and_decides(client, topics):
    seen: list[ms.FailedRecord] = []

    def handler(failed: ms.FailedRecord) -> str:
        seen.append(failed)
        return "skip" if failed.offset == 0 else "fail"

    give(client, topics, 3 * SMALL, 1, 2 * SMALL)
    with running(repeated(topics, on_send_error=handler, dead_letters=None), client) as worker:
        error = worker.until_failed()
    assert [(each.offset, each.key, each.value) for each in seen] == [(0, b"k0", b"3000"), (2, b"k2", b"2000")]
    assert all(isinstance(each.error, KafkaError) and each.error.code == 10 for each in seen)
    place = f"task 0_0, {topics[0]}-0 offset 2: a record for {topics[1]}-0 with key 'k2' was not written: "
    assert str(error).startswith(place)
    assert "max.message.bytes" in str(error)


def test_a_function_that_fails_says_where(client, topics):
    give(client, topics, 3 * SMALL)
    with running(repeated(topics, on_send_error=lambda _: 1 // 0), client) as worker:
        error = worker.until_failed()
    assert isinstance(error, ProcessingError)
    assert f"{topics[0]}-0 offset 0: on_send_error failed: ZeroDivisionError" in str(error)


def test_by_default_the_worker_ends_and_says_what_to_do(client, topics):
    give(client, topics, 1, 3 * SMALL, 2)
    with running(repeated(topics, on_send_error="fail", dead_letters=None), client) as worker:
        error = worker.until_failed()
    assert "with key 'k1' was not written (and " in str(error), "the largest of the batch"
    assert 'set on_send_error="skip" and dead_letters="a topic"' in str(error)
    assert isinstance(error, KafkaError) and not error.retriable


def test_with_dead_letters_the_failure_names_its_source(client, topics):
    give(client, topics, 1, 3 * SMALL, 2)
    with running(repeated(topics, on_send_error="fail"), client) as worker:
        error = worker.until_failed()
    assert f"task 0_0, {topics[0]}-0 offset 1: a record for {topics[1]}-0" in str(error)


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once_v2"])
def test_what_the_client_itself_refuses_is_skipped_under_both_guarantees(client, topics, guarantee):
    give(client, topics, 1, HUGE, 2)
    with running(repeated(topics, processing_guarantee=guarantee), client) as worker:
        worker.until(lambda status: status.records == 3 and status.idle and status.commits > 0)
        worker.stop()
    assert keys(client, topics[1], read_committed=True) == [b"k0", b"k2"]
    assert keys(client, topics[2], read_committed=True) == [b"k1"]


def test_exactly_once_cannot_go_on_without_what_the_broker_refuses(client, topics):
    """Its transaction can only be aborted, as in Kafka Streams; the same record would come again."""
    give(client, topics, 1, 3 * SMALL, 2)
    with running(repeated(topics, processing_guarantee="exactly_once_v2"), client) as worker:
        error = worker.until_failed()
    assert f"{topics[0]}-0 offset 1: " in str(error), "the largest of the batch"
    assert "under exactly-once the transaction is aborted" in str(error)
    assert isinstance(error, MillstreamError) and error.exit_status == 1
    assert keys(client, topics[1], read_committed=True) == keys(client, topics[2], read_committed=True) == []


def test_a_changelog_is_never_passed_over(client, new_topic):
    """A store that its changelog doesn't know would be another one after a restart."""
    source, sink, dead = new_topic("in"), new_topic("out"), new_topic("dead")
    given = {"commit_interval": "200ms", "on_send_error": "skip", "dead_letters": dead}
    app = App(unique("app"), topic={"max.message.bytes": str(SMALL)}, **given)
    stream = app.stream(source, key=str, value=str).group_by_key()
    stream.reduce(lambda old, new: old + new).to_stream().map_values(len, value=int).to(sink)
    write(client, source, [(b"k", b"x" * 3 * SMALL, EVENT_TIME)], 1)
    with running(app, client) as worker:
        error = worker.until_failed()
    assert "-changelog-0 with key 'k' was not written" in str(error)
    assert read_partition(client, TopicPartition(dead, 0)) == []
