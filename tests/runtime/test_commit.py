"""The order of a commit, told from what the clients were asked."""

from __future__ import annotations

import pytest
from tests.runtime.fakes import FakeMembership, FakeProducer, ManualClock

from millstream.app import App
from millstream.client.contract import CommittedOffset
from millstream.engine import EngineSettings, GlobalTables, Outbox, Wiring, compile_task
from millstream.errors import KafkaError
from millstream.model import Batch, TopicPartition
from millstream.plan.internal import internal_topics
from millstream.runtime.commit import LIMIT_MS, AtLeastOnce
from millstream.runtime.held import HeldTask
from millstream.runtime.lifecycle import State
from millstream.runtime.outlet import Outlet

SOURCE = TopicPartition("in", 0)
FENCED = KafkaError("another generation", code=22)
BUSY = KafkaError("rebalancing", code=27, retriable=True)
REFUSED = KafkaError("not authorised", code=30)


class Bench:
    """A committer over one task that counts, and the log of what its clients were asked."""

    def __init__(self, answers=()) -> None:
        app = App("app")
        app.stream("in", key=str, value=str).group_by_key().count().to_stream().to("out")
        topology = app.topology()
        (spec,) = internal_topics(topology, "app", {"in": 1, "out": 1}).tasks
        self.log: list[str] = []
        self.clock = ManualClock()
        self.membership = FakeMembership(self.log, answers)
        outbox = Outbox({"out": 1})
        self.outlet = Outlet(FakeProducer(self.log))
        self.committer = AtLeastOnce(self.membership, outbox, self.outlet, self.clock)
        wiring = Wiring("app", EngineSettings(), outbox, GlobalTables(topology), 0)
        task = compile_task(topology.subtopologies[0], spec, wiring)
        task.start()
        logged = dict.fromkeys(spec.changelogs, 0)
        self.held = HeldTask(spec, TopicPartition("app-tasks", 0), State.RUNNING, task, logged=logged)

    def process(self, *keys: bytes) -> None:
        offsets = range(len(keys))
        self.held.task.add(Batch(SOURCE, offsets, [5] * len(keys), keys, [b""] * len(keys), None, len(keys)))
        self.held.task.process(max_rows=100, up_to_ms=None, wall_ms=0)

    def run(self, steps: int = 100) -> None:
        """The commit, served by its clients between two steps; a step takes a second."""
        for _ in self.committer.commit([self.held]):
            self.outlet.serve()
            for outcome in self.membership.poll(timeout_ms=0):
                self.committer.noticed(outcome)
            self.clock.now_ms += 1_000
            steps -= 1
            assert steps, "the commit doesn't end"


def test_outputs_then_changelogs_then_offsets():
    bench = Bench()
    bench.process(b"a", b"b", b"a")
    bench.run()
    (changelog,) = bench.held.spec.changelogs
    assert bench.log == [
        "produce out-0 2",
        "acknowledged 2",
        f"produce {changelog} 2",
        "acknowledged 2",
        "commit",
    ]
    assert bench.membership.stored[SOURCE].offset == 3
    assert (bench.committer.commits, bench.held.task.needs_commit) == (1, False)


def test_a_commit_without_progress_asks_for_nothing():
    bench = Bench()
    bench.run()
    bench.process(b"a")
    bench.run()
    bench.log.clear()
    bench.run()
    assert bench.log == []


def test_a_failed_delivery_leaves_the_offsets():
    bench = Bench()
    bench.process(b"a")
    bench.outlet.serve = lambda: (_ for _ in ()).throw(KafkaError("disk full"))
    with pytest.raises(KafkaError, match="disk full"):
        bench.run()
    assert "commit" not in bench.log


def test_a_busy_group_is_asked_again():
    bench = Bench([BUSY, BUSY])
    bench.process(b"a")
    bench.run()
    assert bench.log[-3:] == ["commit fails 27", "commit fails 27", "commit"]


def test_a_group_that_stays_busy_is_given_up():
    bench = Bench([BUSY] * 1_000)
    bench.process(b"a")
    with pytest.raises(KafkaError, match="rebalancing"):
        bench.run(steps=LIMIT_MS)
    assert bench.clock.now_ms < 2 * LIMIT_MS


def test_a_group_that_went_on_ends_the_commit_but_not_the_worker():
    bench = Bench([FENCED])
    bench.process(b"a")
    bench.run()
    assert bench.committer.commits == 0
    assert bench.held.task.needs_commit, "still to be committed"


def test_a_refused_commit_is_an_error():
    bench = Bench([REFUSED])
    bench.process(b"a")
    with pytest.raises(KafkaError, match="not authorised"):
        bench.run()


def test_the_answer_to_an_earlier_commit_is_not_taken_for_this_ones():
    bench = Bench()
    bench.process(b"a")
    other = {TopicPartition("other", 0): CommittedOffset(1)}
    bench.membership.outcomes = []
    bench.membership.commit(other)
    bench.run()
    assert bench.membership.stored[SOURCE].offset == 1
