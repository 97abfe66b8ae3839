"""Whole workers on both brokers."""

from __future__ import annotations

import json
import threading
from collections import Counter

import pytest
from tests.client.brokers import unique
from tests.runtime.running import EVENT_TIME, latest, read_all, running, write

from millstream.app import App
from millstream.broker.launch import EmbeddedBroker
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.dsl.windows import tumbling
from millstream.errors import BrokerUnavailableError, PlanMismatchError, ProcessingError, TopologyError
from millstream.runtime import Worker
from millstream.serde.scalars import INT64

PARTITIONS = 2
WORDS = [f"w{i % 13}" for i in range(500)]


def word_count(source: str, sink: str, name: str, **settings) -> App:
    app = App(name, **{"commit_interval": "200ms", **settings})
    app.stream(source).group_by(lambda value: value["word"]).count(name="counts").to_stream().to(sink)
    return app


def lines(words: list[str]) -> list[tuple[bytes | None, bytes, int]]:
    return [(None, json.dumps({"word": word}).encode(), EVENT_TIME + i) for i, word in enumerate(words)]


def counts(rows) -> dict[str, int]:
    return {key.decode(): INT64.decode(value) for key, value in latest(rows).items()}


@pytest.fixture
def topics(new_topic) -> tuple[str, str]:
    return new_topic("words", PARTITIONS), new_topic("counts", PARTITIONS)


def test_a_program_with_a_repartition_topic_gives_every_result(client, topics):
    source, sink = topics
    write(client, source, lines(WORDS), PARTITIONS)
    with running(word_count(source, sink, unique("app")), client) as worker:
        worker.until(lambda status: status.records == 2 * len(WORDS))
        final = worker.stop()
    assert counts(read_all(client, sink, PARTITIONS)) == Counter(WORDS)
    assert (final.records, final.dropped, final.late, final.dead_letters) == (2 * len(WORDS), 0, 0, 0)
    assert final.sent == final.acknowledged


def test_a_stopped_worker_goes_on_where_it_was(client, topics):
    source, sink = topics
    app = word_count(source, sink, unique("app"), emit="every")
    for part in (WORDS[:300], WORDS[300:]):
        write(client, source, lines(part), PARTITIONS)
        with running(app, client) as worker:
            worker.until(lambda status, part=part: status.records == 2 * len(part))
            worker.stop()
    rows = read_all(client, sink, PARTITIONS)
    assert counts(rows) == Counter(WORDS)
    assert len(rows) == len(WORDS), "every record counted once: state restored, nothing read twice"


@pytest.mark.parametrize(("store", "read_again"), [("memory", 6), ("rocksdb", 0)])
def test_a_table_is_restored_from_its_own_topic(client, new_topic, tmp_path, store, read_again):
    """X7: as far as it was committed, or from where its files end; there is no changelog (K2)."""
    rows, clicks, sink = (new_topic(name, PARTITIONS) for name in ("rows", "clicks", "seen"))
    name = unique("app")
    app = App(name, commit_interval="200ms", optimize="all", store=store, state_dir=tmp_path)
    app.stream(clicks, value=str).join(app.table(rows, value=str), lambda v, row: f"{v}-{row}", result=str).to(sink)
    keys = [key.encode() for key in "abcdef"]
    for turn, row in enumerate((b"first", b"second")):
        write(client, rows, [(key, row, EVENT_TIME + turn) for key in keys], PARTITIONS)
        with running(app, client) as worker:
            worker.until(lambda status: status.records == len(keys))
            write(client, clicks, [(key, b"click", EVENT_TIME + 10) for key in keys[turn:]], PARTITIONS)
            status = worker.until(lambda status, turn=turn: status.records == 2 * len(keys) - turn)
            worker.stop()
        assert sum(task.restored for task in status.tasks) == turn * read_again, "the rows committed, not those since"
    seen = Counter(value.decode() for _, value, _ in read_all(client, sink, PARTITIONS))
    assert seen == {"click-first": 6, "click-second": 5}
    topics = client.admin().partition_counts(timeout_ms=10_000)
    assert not [topic for topic in topics if topic.startswith(name) and topic.endswith("-changelog")]


def test_live_records_come_out_within_moments(client, topics):
    source, sink = topics
    with running(word_count(source, sink, unique("app"), commit_interval="1h"), client) as worker:
        worker.until(lambda status: status.ready)
        write(client, source, lines(["now"]), PARTITIONS)
        worker.until(lambda status: status.records == 2 and status.idle, limit_s=10)
        assert counts(read_all(client, sink, PARTITIONS)) == {"now": 1}


def test_two_workers_share_the_tasks_and_lose_nothing(client, topics):
    source, sink = topics
    name = unique("app")
    with running(word_count(source, sink, name), client) as first:
        first.until(lambda status: status.ready and len(status.tasks) == 2 * PARTITIONS)
        write(client, source, lines(WORDS[:250]), PARTITIONS)
        with running(word_count(source, sink, name), client) as second:
            second.until(lambda status: status.ready and len(status.tasks) == PARTITIONS)
            first.until(lambda status: len(status.tasks) == PARTITIONS)
            write(client, source, lines(WORDS[250:]), PARTITIONS)
            first.until(lambda one: one.records + second.worker.status().records >= 2 * len(WORDS))
            second.stop()
        first.until(lambda status: len(status.tasks) == 2 * PARTITIONS and status.ready)
        first.stop()
    assert counts(read_all(client, sink, PARTITIONS)) == Counter(WORDS)


def test_what_comes_before_a_failing_record_is_committed(client, new_topic):
    source, sink = new_topic("in", 1), new_topic("out", 1)

    def checked(value):
        if value["word"] == "bad":
            raise ValueError("no such word")
        return value

    def app(name: str, function) -> App:
        made = App(name)
        made.stream(source).map_values(function).to(sink)
        return made

    name = unique("app")
    write(client, source, lines(["a", "b", "bad", "c"]), 1)
    with running(app(name, checked), client) as worker:
        error = worker.until_failed()
    assert isinstance(error, ProcessingError)
    assert "no such word" in str(error)
    assert len(read_all(client, sink, 1)) == 2
    with running(app(name, lambda value: value), client) as worker:
        worker.until(lambda status: status.records == 2)
        worker.stop()
    assert [json.loads(value)["word"] for _, value, _ in read_all(client, sink, 1)] == ["a", "b", "bad", "c"]


def test_failing_records_go_to_the_dead_letters(client, topics, new_topic):
    source, sink = topics
    letters = new_topic("letters", 1)
    write(client, source, [*lines(["a"]), (b"k", b"no json", EVENT_TIME)], PARTITIONS)
    app = word_count(source, sink, unique("app"), on_decode_error="skip", dead_letters=letters)
    with running(app, client) as worker:
        worker.until(lambda status: status.records == 2 and status.dead_letters == 1)
        worker.stop()
    assert [value for _, value, _ in read_all(client, letters, 1)] == [b"no json"]


def test_a_global_table_is_complete_before_the_first_record(client, new_topic):
    source, table, sink = new_topic("in", 1), new_topic("table", PARTITIONS), new_topic("out", 1)
    write(client, table, [(b"%d" % i, b'{"n": %d}' % i, EVENT_TIME) for i in range(300)], PARTITIONS)
    write(client, source, [(b"%d" % i, b"{}", EVENT_TIME) for i in range(300)], 1)
    app = App(unique("app"))
    rows = app.global_table(table, key=str)
    app.stream(source, key=str).join(rows, key=lambda key, _: key, value=lambda _, row: row).to(sink)
    with running(app, client) as worker:
        worker.until(lambda status: status.records == 300)
        worker.stop()
    assert [json.loads(value)["n"] for _, value, _ in read_all(client, sink, 1)] == list(range(300))


def test_another_plan_is_refused_in_words(client, topics):
    source, sink = topics
    name = unique("app")
    with running(word_count(source, sink, name), client) as worker:
        worker.until(lambda status: status.ready)
        other = App(name)
        other.stream(source).to(sink)
        with pytest.raises(PlanMismatchError, match="another version of this program"):
            Worker(other.topology(), other.settings, client).run(threading.Event())
        worker.stop()


def test_a_missing_source_topic_names_the_users_line(client, topics):
    app = word_count("no-such-input", topics[1], unique("app"))
    with pytest.raises(TopologyError, match=r"test_worker\.py:\d+.*'no-such-input' does not exist"):
        Worker(app.topology(), app.settings, client).run(threading.Event())


def test_a_missing_sink_topic_is_refused_at_the_start(client, topics):
    app = word_count(topics[0], "no-such-output", unique("app"))
    with pytest.raises(TopologyError, match="'no-such-output' does not exist"):
        Worker(app.topology(), app.settings, client).run(threading.Event())


def test_missing_topics_are_created_where_asked_for(client):
    source, sink = unique("fresh-in"), unique("fresh-out")
    app = word_count(source, sink, unique("app"), create_missing_topics=PARTITIONS)
    with running(app, client) as worker:
        worker.until(lambda status: status.ready and len(status.tasks) == 2 * PARTITIONS)
        write(client, source, lines(["a", "b", "a"]), PARTITIONS)
        worker.until(lambda status: status.records == 6)
        worker.stop()
    assert counts(read_all(client, sink, PARTITIONS)) == {"a": 2, "b": 1}


def test_no_broker_is_an_error_within_the_limit():
    nowhere = LibrdkafkaClient("127.0.0.1:1", unavailable_after_ms=200)
    app = word_count("in", "out", "app")
    with pytest.raises(BrokerUnavailableError):
        Worker(app.topology(), app.settings, nowhere).run(threading.Event())


def test_a_small_producer_queue_only_slows_down(bootstrap, topics):
    source, sink = topics
    tight = LibrdkafkaClient(bootstrap, producer={"queue.buffering.max.messages": 20})
    write(LibrdkafkaClient(bootstrap), source, lines(WORDS), PARTITIONS)
    with running(word_count(source, sink, unique("app"), emit="every"), tight) as worker:
        worker.until(lambda status: status.records == 2 * len(WORDS))
        worker.stop()
    assert counts(read_all(tight, sink, PARTITIONS)) == Counter(WORDS)


def test_small_buffers_pause_and_resume(client, topics):
    source, sink = topics
    write(client, source, lines(WORDS * 4), PARTITIONS)
    app = word_count(source, sink, unique("app"), buffer_records=10, round_records=25)
    with running(app, client) as worker:
        worker.until(lambda status: status.records == 8 * len(WORDS))
        worker.stop()
    assert counts(read_all(client, sink, PARTITIONS)) == Counter(WORDS * 4)


def test_a_replay_through_several_partitions_is_not_late_for_windows_with_a_short_grace(client, new_topic):
    source, sink, partitions, total = new_topic("in", 4), new_topic("out", 1), 4, 6_000
    rows = [(b"session-%d" % (i % 97), b'{"word": "w%d"}' % (i % 13), EVENT_TIME + 100 * i) for i in range(total)]
    write(client, source, rows, partitions)
    app = App(unique("app"), emit="every", round_records=300)
    (
        app.stream(source, key=str)
        .group_by(lambda value: value["word"])
        .windowed_by(tumbling("10s", grace="2s"))
        .count()
        .to_stream()
        .to(sink)
    )
    with running(app, client) as worker:
        worker.until(lambda status: status.records == 2 * total)
        final = worker.stop()
    assert (final.late, final.dropped) == (0, 0)
    assert sum(INT64.decode(value) for value in latest(read_all(client, sink, 1)).values()) == total


def test_a_broker_that_dies_and_comes_back_costs_nothing_but_time(tmp_path):
    source, sink = "words", "counts"
    with EmbeddedBroker.private(tmp_path) as broker:
        client = LibrdkafkaClient(broker.bootstrap)
        with running(word_count(source, sink, "app", create_missing_topics=PARTITIONS), client) as worker:
            worker.until(lambda status: status.ready)
            write(client, source, lines(WORDS[:100]), PARTITIONS)
            worker.until(lambda status: status.records == 200)
            broker.kill()
            broker.restart()
            write(client, source, lines(WORDS[100:]), PARTITIONS)
            worker.until(lambda status: status.records >= 2 * len(WORDS) and status.sent == status.acknowledged)
            worker.stop()
        assert counts(read_all(client, sink, PARTITIONS)) == Counter(WORDS)


def test_a_worker_leaves_the_collector_as_it_was(client, topics):
    import gc

    before = gc.get_threshold(), gc.get_freeze_count()
    with running(word_count(*topics, unique("app")), client) as worker:
        worker.until(lambda status: status.ready)
        assert gc.get_threshold() != before[0]
        worker.stop()
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
