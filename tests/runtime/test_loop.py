"""The loop under exactly-once over clients in memory: what it does when the group or the producer fails (X5, X9)."""

from __future__ import annotations

import threading

import pytest
from tests.runtime.fakes import FakeData, FakeMembership, FakeTransactions, ManualClock

from millstream.app import App
from millstream.client.contract import DeliveryFailure, Fetched, GroupChange
from millstream.engine import Outbox
from millstream.errors import KafkaError
from millstream.model import Batch, TopicPartition
from millstream.plan.internal import internal_topics
from millstream.runtime.exactly_once import ExactlyOnce
from millstream.runtime.intake import Intake
from millstream.runtime.local_state import LocalState
from millstream.runtime.loop import Loop
from millstream.runtime.opening import Surroundings
from millstream.runtime.outlet import Outlet
from millstream.runtime.task_table import TaskTable
from millstream.runtime.transaction import Transaction
from millstream.runtime.worker_tables import WorkerTables
from millstream.serde.scalars import INT64

IN, OUT, CHANGELOG = (TopicPartition(topic, 0) for topic in ("in", "out", "app-counts-changelog"))
TASK = TopicPartition("app-tasks", 0)
FENCED = KafkaError("another generation", code=22, abortable=True)
HANGS = KafkaError("has not come back", code=-185, fatal=True)
LOST_ROW = KafkaError("not written in time", code=-192, retriable=True)
TOO_LARGE = KafkaError("too large", code=10)


class Cluster(FakeData):
    """Two partitions, read from where they are assigned: the input, and the changelog as committed."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[TopicPartition, list[tuple[bytes, bytes | None]]] = {IN: [], CHANGELOG: []}

    def poll(self, *, max_records: int, timeout_ms: int) -> Fetched:
        del max_records, timeout_ms
        batches = []
        for source, position in self.assigned.items():
            first = max(position, 0)
            rows = self.logs[source][first:]
            if rows:
                keys, values = zip(*rows, strict=True)
                offsets = range(first, first + len(rows))
                batches.append(Batch(source, offsets, [5] * len(rows), keys, values, None, offsets.stop))
                self.assigned[source] = offsets.stop
        return Fetched(batches, [], [])

    def watermarks(self, source: TopicPartition, *, timeout_ms: int) -> tuple[int, int]:
        del timeout_ms
        return 0, len(self.logs[source])


class Producer(FakeTransactions):
    """What it commits can be read from the changelog, and its offsets from the group."""

    def __init__(self, bench: Bench, answers: dict[str, list[KafkaError | None]]) -> None:
        super().__init__(bench.log, answers)
        self._bench = bench
        self._written: list[tuple[TopicPartition, bytes, bytes | None]] = []

    def produce(self, batch) -> int:
        self._written += [(batch.target, key, value) for key, value in zip(batch.keys, batch.values, strict=True)]
        return super().produce(batch)

    def _end(self, *, kept: bool) -> None:
        super()._end(kept=kept)
        if kept:
            self._bench.membership.stored |= self.stored
            self._bench.results += [(key, INT64.decode(value)) for to, key, value in self._written if to == OUT]
            self._bench.data.logs[CHANGELOG] += [(key, value) for to, key, value in self._written if to == CHANGELOG]
        self._written.clear()


class Bench:
    """A loop with one task that counts."""

    def __init__(self, folder, **answers: list[KafkaError | None]) -> None:
        app = App("app", emit="every", processing_guarantee="exactly_once_v2", state_dir=folder)
        app.stream("in", key=str, value=str).group_by_key().count(store="counts").to_stream().to("out")
        topology, counts = app.topology(), {"in": 1, "out": 1}
        self.log: list[str] = []
        self.results: list[tuple[bytes, int]] = []
        self.clock, self.data, self.membership = ManualClock(), Cluster(), FakeMembership(self.log)
        self.producers: list[Producer] = []
        self._answers = answers
        transaction = Transaction(self._producer, self.clock, 30_000)
        outbox, outlet = Outbox(counts), Outlet(transaction)
        committer = ExactlyOnce(self.membership, outbox, outlet, transaction)
        intake = Intake(self.data, app.settings, self.clock)
        surroundings = Surroundings(
            topology,
            app.settings,
            TaskTable.of("app", "plan", internal_topics(topology, "app", counts).tasks),
            outbox,
            intake,
            self.data,
            self.membership,
            self.clock,
            LocalState(app.settings),
        )
        tables = WorkerTables(topology, counts, app.settings, outbox)
        self.pausing = threading.Event()
        self.loop = Loop(surroundings, tables, outlet, committer, pausing=self.pausing)
        self.change("assigned")

    def _producer(self) -> Producer:
        self.producers.append(Producer(self, self._answers if not self.producers else {}))
        return self.producers[-1]

    def change(self, kind) -> None:
        self.membership.outcomes.append(GroupChange(kind, [TASK]))

    def give(self, *keys: bytes) -> None:
        self.data.logs[IN] += [(key, b"x") for key in keys]

    def turn(self, times: int = 60) -> None:
        for _ in range(times):
            self.loop.turn()
            self.clock.now_ms += 10


def test_counts_go_on_from_commit_to_commit(tmp_path):
    bench = Bench(tmp_path)
    for keys in ((b"a", b"b"), (b"a",)):
        bench.give(*keys)
        bench.turn()
    assert bench.results == [(b"a", 1), (b"b", 1), (b"a", 2)]
    assert bench.membership.stored[IN].offset == 3


def test_what_comes_by_a_fetch_during_which_it_is_paused_waits(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    bench.turn(5)
    bench.give(b"a")
    poll = bench.data.poll

    def paused_meanwhile(**how):
        bench.pausing.set()
        return poll(**how)

    with monkeypatch.context() as patched:
        patched.setattr(bench.data, "poll", paused_meanwhile)
        bench.turn()
    assert bench.results == []
    bench.pausing.clear()
    bench.turn()
    assert bench.results == [(b"a", 1)]


@pytest.mark.parametrize(
    "answers",
    [{"offsets": [FENCED]}, {"offsets": [HANGS]}, {"commit": [FENCED, FENCED]}, {"commit": [HANGS]}],
    ids=["offsets are fenced", "offsets hang", "commits fail twice", "the commit hangs"],
)
def test_after_a_failed_commit_the_work_is_done_again_and_seen_once(tmp_path, answers):
    bench = Bench(tmp_path, **answers)
    bench.give(b"a", b"b", b"a")
    bench.turn(120)
    assert bench.results == [(b"a", 1), (b"b", 1), (b"a", 2)]
    assert bench.membership.stored[IN].offset == 3


def test_a_row_that_is_not_written_in_time_is_written_again(tmp_path):
    bench = Bench(tmp_path)
    bench.turn(5)
    bench.producers[0].failures = [DeliveryFailure(OUT, b"a", LOST_ROW)]
    bench.give(b"a")
    bench.turn()
    assert bench.results == [(b"a", 1)]


def test_a_row_that_nobody_takes_ends_the_worker(tmp_path):
    bench = Bench(tmp_path)
    bench.turn(5)
    bench.producers[0].failures = [DeliveryFailure(OUT, b"a", TOO_LARGE)]
    with pytest.raises(KafkaError, match="too large"):
        bench.turn()


def test_what_lost_tasks_have_done_is_never_seen(tmp_path):
    bench = Bench(tmp_path)
    bench.turn(5)
    bench.give(b"a")
    bench.turn(2)  # processed, and not committed yet
    assert any(line.startswith("produce") for line in bench.log)
    bench.change("lost")
    bench.turn()
    assert (bench.results, bench.membership.stored, len(bench.loop.tasks)) == ([], {}, 0)
    assert bench.log[-1] == "abort"


def test_revoked_tasks_are_released_also_when_their_commit_fails(tmp_path):
    bench = Bench(tmp_path, offsets=[FENCED])
    bench.turn(5)
    bench.give(b"a")
    bench.turn(2)
    bench.change("revoked")
    bench.turn()
    assert bench.log[-1] == "release 1"
    assert bench.results == [(b"a", 1)], "done again before it was released"


def test_tasks_may_be_lost_while_the_worker_stops(tmp_path):
    bench = Bench(tmp_path)
    bench.turn(5)
    bench.give(b"a")
    bench.turn(2)
    bench.change("lost")
    bench.loop.finish()
    assert (bench.results, len(bench.loop.tasks)) == ([], 0)


def test_a_last_commit_that_is_fenced_leaves_the_work_to_others(tmp_path):
    bench = Bench(tmp_path, offsets=[FENCED])
    bench.turn(5)
    bench.give(b"a")
    bench.turn(2)
    bench.loop.finish()
    assert bench.results == []


def test_failures_that_never_end_end_the_worker(tmp_path):
    bench = Bench(tmp_path, offsets=[FENCED] * 10_000)
    bench.give(b"a")
    with pytest.raises(KafkaError, match="another generation"):
        for _ in range(40_000):
            bench.loop.turn()
            bench.clock.now_ms += 10
    assert bench.clock.now_ms > 300_000, "give_up_after"
