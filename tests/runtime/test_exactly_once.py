"""Workers that are killed at random moments, on both brokers: what comes out is what an offline computation says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.client.brokers import unique
from tests.kafka.apache import ApacheKafka
from tests.runtime.chaos import Trial, kill_at_random, trial
from tests.runtime.running import EVENT_TIME, read_all, running, write

import millstream as ms
from millstream.broker.launch import EmbeddedBroker
from millstream.errors import ProcessingError

STORE = {"embedded": "memory", "apache": "rocksdb"}


def check(made: Trial, guarantee: str, limit_s: float) -> None:
    """Exactly-once: record for record. At-least-once: nothing is missing."""

    def complete() -> bool:
        return not made.expected_counts() - made.counts() and not made.expected_pairs() - made.pairs()

    arrived = made.until(complete, limit_s)
    counts, pairs = made.counts(), made.pairs()
    if guarantee == "at_least_once":
        assert arrived, f"missing: {made.expected_counts() - counts} {made.expected_pairs() - pairs}"
        return
    lost = (made.expected_counts() - counts, made.expected_pairs() - pairs)
    more = (counts - made.expected_counts(), pairs - made.expected_pairs())
    assert (lost, more) == ((Counter(), Counter()), (Counter(), Counter())), f"of {made.given}"


def settings(guarantee: str) -> dict[str, object]:
    interval = {} if guarantee == "exactly_once_v2" else {"commit_interval": "200ms"}
    return {"processing_guarantee": guarantee, "cache": 0, **interval}


@pytest.mark.parametrize("guarantee", ["exactly_once_v2", "at_least_once"])
def test_workers_that_are_killed_at_random_moments(request, bootstrap, tmp_path, guarantee):
    broker = request.node.callspec.params["bootstrap"]
    with trial(bootstrap, unique("chaos"), 2, tmp_path, store=STORE[broker], **settings(guarantee)) as made:
        kill_at_random(made, workers=2, kills=2, seed=7)
        check(made, guarantee, limit_s=60)
        assert made.stop() == [0, 0]


class EmbeddedNode:
    """A broker of its own that can be killed."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.bootstrap = broker.bootstrap
        self._broker = broker

    def kill_and_restart(self) -> None:
        self._broker.kill()
        self._broker.restart()


class ApacheNode:
    def __init__(self, node: ApacheKafka) -> None:
        self.bootstrap = node.bootstrap
        self._node = node

    def kill_and_restart(self) -> None:
        self._node.restart(kill=True)


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def node(request, tmp_path):
    if request.param == "embedded":
        with EmbeddedBroker.private(tmp_path / "broker") as broker:
            yield EmbeddedNode(broker)
    else:
        yield ApacheNode(request.getfixturevalue("apache_kafka"))


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("guarantee", ["exactly_once_v2", "at_least_once"])
def test_twenty_kills_of_workers_and_three_of_the_broker(node, tmp_path, guarantee):
    chosen = settings(guarantee)
    with trial(node.bootstrap, unique("chaos"), 8, tmp_path / "state", store="rocksdb", **chosen) as made:
        kill_at_random(made, workers=3, kills=20, seed=11, break_broker=node.kill_and_restart)
        check(made, guarantee, limit_s=240)
        assert made.stop() == [0, 0, 0]


@pytest.mark.kafka
@pytest.mark.parametrize("guarantee", ["exactly_once_v2"])
def test_a_worker_that_stood_still_and_goes_on_is_fenced(apache_kafka, tmp_path, guarantee):  # X5, X9
    """Its session ends meanwhile, and another has its tasks."""
    session = {"session.timeout.ms": 1000, "heartbeat.interval.ms": 200}
    bootstrap = apache_kafka.bootstrap
    with trial(bootstrap, unique("zombie"), 2, tmp_path, consumer=session, **settings(guarantee)) as made:
        made.static = False
        made.start(0)
        made.give(100)
        assert made.until(lambda: made.counts() == made.expected_counts(), 60)
        with made.standing_still(0):
            made.start(1)
            made.give(200)
            assert made.until(lambda: made.counts() == made.expected_counts(), 60), "the other one has the tasks"
        made.give(200)
        check(made, guarantee, limit_s=60)
        assert made.stop() == [0, 0]


def word_counts(source: str, sink: str, name: str, folder: Path, **settings) -> ms.App:
    app = ms.App(name, emit="every", processing_guarantee="exactly_once_v2", state_dir=folder, **settings)
    app.stream(source, key=str, value=str).group_by(lambda value: value).count(store="counts").to_stream().to(sink)
    return app


def test_a_record_that_fails_is_not_passed_over_and_what_came_before_is_committed(client, new_topic, tmp_path):  # X18
    source, sink, name = new_topic("in", 1), new_topic("out", 1), unique("app")
    app = ms.App(name, processing_guarantee="exactly_once_v2", state_dir=tmp_path)

    def share(value: str) -> int:
        return 10 // int(value)

    app.stream(source, value=str).map_values(share).to(sink)
    write(client, source, [(b"k", value, EVENT_TIME) for value in (b"1", b"2", b"0", b"5")], 1)
    with running(app, client) as worker:
        error = worker.until_failed()
    assert isinstance(error, ProcessingError)
    assert f"task 0_0, {source}-0 offset 2" in str(error)
    values = [value for _, value, _ in read_all(client, sink, 1, read_committed=True)]
    assert [int.from_bytes(value) for value in values] == [10, 5]


def test_a_commit_by_count_comes_before_the_interval(client, new_topic, tmp_path):
    source, sink = new_topic("in", 1), new_topic("out", 1)
    app = word_counts(source, sink, unique("app"), tmp_path, commit_interval="9s", commit_records=50, round_records=50)
    with running(app, client) as worker:
        worker.until(lambda status: status.ready)
        write(client, source, [(b"k", b"w", EVENT_TIME + i) for i in range(100)], 1)
        worker.until(lambda _: len(read_all(client, sink, 1, read_committed=True)) >= 50, limit_s=8)
        worker.stop()
    assert len(read_all(client, sink, 1, read_committed=True)) == 100
