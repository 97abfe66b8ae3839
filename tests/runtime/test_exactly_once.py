"""Workers that are killed at random moments, on both brokers: what comes out is what an offline computation says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.client.brokers import unique
from tests.runtime.chaos import Trial, kill_at_random, trial
from tests.runtime.running import EVENT_TIME, read_all, running, write

import millstream as ms
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
