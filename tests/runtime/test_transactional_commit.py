"""The order of a commit under exactly-once, and what becomes of it when a step fails (X5)."""

from __future__ import annotations

import pytest
from tests.runtime.fakes import FakeMembership, FakeTransactions, ManualClock

from millstream.app import App
from millstream.client.contract import Step, StepDone
from millstream.engine import EngineSettings, GlobalTables, Outbox, Wiring, compile_task
from millstream.errors import KafkaError
from millstream.model import Batch, TopicPartition
from millstream.plan.internal import internal_topics
from millstream.runtime.exactly_once import ExactlyOnce
from millstream.runtime.held import HeldTask
from millstream.runtime.lifecycle import State
from millstream.runtime.outlet import Outlet
from millstream.runtime.recovery import Remedy, remedy
from millstream.runtime.transaction import Procedure, Transaction

SOURCE = TopicPartition("in", 0)
FENCED = KafkaError("another generation", code=22, abortable=True)
BUSY = KafkaError("coordinator moves", code=16, retriable=True)
HANGS = KafkaError("has not come back", code=-185, fatal=True)
TAKEN_OVER = KafkaError("fenced by another producer", code=90, fatal=True)


class Bench:
    """A committer over one task that counts, and the log of what its clients were asked."""

    def __init__(self, **answers: list[KafkaError | None]) -> None:
        app = App("app")
        app.stream("in", key=str, value=str).group_by_key().count(store="counts").to_stream().to("out")
        topology = app.topology()
        (spec,) = internal_topics(topology, "app", {"in": 1, "out": 1}).tasks
        self.log: list[str] = []
        self.clock = ManualClock()
        self.membership = FakeMembership(self.log)
        self.producers = [FakeTransactions(self.log, answers)]
        made = iter(self.producers)
        self.transaction = Transaction(lambda: next(made, None) or self._another(), self.clock, 30_000)
        outbox = Outbox({"out": 1})
        self.outlet = Outlet(self.transaction)
        self.committer = ExactlyOnce(self.membership, outbox, self.outlet, self.transaction)
        wiring = Wiring("app", EngineSettings(), outbox, GlobalTables(topology), 0)
        task = compile_task(topology.subtopologies[0], spec, wiring)
        task.start()
        (self.changelog,) = spec.changelogs
        self.held = HeldTask(spec, TopicPartition("app-tasks", 0), State.RUNNING, task, logged={self.changelog: 0})
        self.settled: list[dict[TopicPartition, int]] = []
        task.settle = lambda offsets: self.settled.append(dict(offsets))  # what files on disk would be told
        self._offset = 0
        self.run(self.committer.begin())
        self.log.clear()

    def _another(self) -> FakeTransactions:
        self.producers.append(FakeTransactions(self.log))
        return self.producers[-1]

    def process(self, *keys: bytes) -> None:
        first, self._offset = self._offset, self._offset + len(keys)
        offsets = range(first, self._offset)
        self.held.task.add(Batch(SOURCE, offsets, [5] * len(keys), keys, [b""] * len(keys), None, self._offset))
        self.held.task.process(max_rows=100, up_to_ms=None, wall_ms=0)

    def run(self, procedure: Procedure, steps: int = 1_000) -> None:
        """A procedure, with the producer served between two steps; a step takes a second."""
        for _ in procedure:
            self.outlet.serve()
            self.clock.now_ms += 1_000
            steps -= 1
            assert steps, "the procedure doesn't end"

    def commit(self) -> None:
        self.run(self.committer.commit([self.held]))


def test_rows_then_offsets_then_the_commit_and_only_then_the_files():
    bench = Bench()
    bench.process(b"a", b"b", b"a")
    bench.commit()
    assert bench.log == [
        "begin",
        "produce out-0 2",
        f"produce {bench.changelog} 2",
        "acknowledged 4",
        "offsets as 1",
        "commit",
    ]
    (producer,) = bench.producers
    assert producer.stored[SOURCE].offset == 3
    assert [target for target, _ in producer.visible] == [TopicPartition("out", 0)] * 2 + [bench.changelog] * 2
    assert bench.settled == [{bench.changelog: 2}]
    assert (bench.committer.commits, bench.held.task.needs_commit) == (1, False)


def test_the_mark_of_a_transaction_is_counted_once_it_stands_there_for_sure():  # X6
    bench = Bench()
    for _ in range(3):
        bench.process(b"a", b"b")
        bench.commit()
    assert [told[bench.changelog] for told in bench.settled] == [2, 5, 8]


def test_a_commit_without_progress_asks_for_nothing():
    bench = Bench()
    bench.commit()
    assert bench.log == []


def test_what_no_task_has_written_is_committed_too():
    """Dead letters of global tables, say."""
    bench = Bench()
    bench.transaction.begin()
    bench.commit()
    assert bench.log == ["begin", "commit"]


def test_a_step_that_a_busy_coordinator_puts_off_is_repeated():
    bench = Bench(offsets=[BUSY], commit=[BUSY, BUSY])
    bench.process(b"a")
    bench.commit()
    assert bench.log[-5:] == ["offsets fails 16", "offsets as 1", "commit fails 16", "commit fails 16", "commit"]
    assert bench.committer.commits == 1


def test_a_step_that_is_put_off_for_ever_fails():
    bench = Bench(commit=[BUSY] * 1_000)
    bench.process(b"a")
    with pytest.raises(KafkaError, match="coordinator moves"):
        bench.commit()


FAILURES = {
    "offsets": {"offsets": [FENCED]},
    "offsets hang": {"offsets": [HANGS]},
    "commit": {"commit": [FENCED]},
    "commit hangs": {"commit": [HANGS]},
    "commit of a zombie": {"commit": [TAKEN_OVER]},
}


@pytest.mark.parametrize("answers", FAILURES.values(), ids=FAILURES.keys())
def test_nothing_of_a_failed_commit_is_kept_or_seen(answers):
    bench = Bench(**answers)
    bench.process(b"a")
    with pytest.raises(KafkaError) as failed:
        bench.commit()
    bench.run(bench.committer.recover(remedy(failed.value)))
    assert bench.settled == [], "files are never ahead of what is committed"
    assert bench.held.committed == {}
    assert (bench.producers[0].visible, bench.producers[0].stored) == ([], {})
    assert not bench.transaction.open


def test_a_fence_aborts_and_the_producer_goes_on():  # X5, X9
    bench = Bench(offsets=[FENCED])
    bench.process(b"a")
    with pytest.raises(KafkaError) as failed:
        bench.commit()
    assert remedy(failed.value) is Remedy.ABORT
    bench.run(bench.committer.recover(Remedy.ABORT))
    assert bench.log[-2:] == ["offsets fails 22", "abort"]
    assert len(bench.producers) == 1


def test_a_producer_that_hangs_is_replaced_by_one_with_the_same_id():
    bench = Bench(offsets=[HANGS])
    bench.process(b"a")
    with pytest.raises(KafkaError) as failed:
        bench.commit()
    bench.run(bench.committer.recover(remedy(failed.value)))
    assert bench.log[-2:] == ["close", "init"]
    assert len(bench.producers) == 2


def test_a_producer_that_cannot_even_abort_is_replaced():
    bench = Bench(offsets=[FENCED], abort=[HANGS])
    bench.process(b"a")
    with pytest.raises(KafkaError):
        bench.commit()
    bench.run(bench.committer.recover(Remedy.ABORT))
    assert bench.log[-3:] == ["abort fails -185", "close", "init"]


def test_a_worker_out_of_its_group_sends_no_offsets():
    """Kafka would take offsets without a generation, and fence nobody."""
    bench = Bench()
    bench.process(b"a")
    bench.membership.generation = None
    with pytest.raises(KafkaError) as failed:
        bench.commit()
    assert remedy(failed.value) is Remedy.ABORT
    assert not any(line.startswith("offsets") for line in bench.log)


def test_offsets_go_with_the_generation_of_the_moment():
    """A rebalance that left the tasks here is no reason to do their work again."""
    bench = Bench()
    bench.process(b"a")
    bench.membership.generation = 2
    bench.commit()
    assert "offsets as 2" in bench.log


def given_up(step: Step) -> Bench:
    """A commit that is given up, as when the group says that the tasks are lost, while a step is under way."""
    bench = Bench()
    bench.process(b"a")
    bench.producers[0].silent = {step}
    procedure = bench.committer.commit([bench.held])
    while not bench.log or not bench.log[-1].startswith(step):
        next(procedure)
        bench.outlet.serve()
    procedure.close()
    assert (bench.settled, bench.held.committed) == ([], {})
    return bench


def test_an_abort_waits_for_the_step_that_was_given_up():
    bench = given_up("offsets")
    recovery = bench.committer.recover(Remedy.ABORT)
    next(recovery)
    assert bench.log[-1] == "offsets as 1", "one step at a time"
    bench.producers[0].done = StepDone("offsets", None)
    bench.run(recovery)
    assert bench.log[-1] == "abort"


def test_a_commit_that_was_given_up_and_is_done_all_the_same_is_not_aborted():
    bench = given_up("commit")
    bench.producers[0].done = StepDone("commit", None)
    bench.run(bench.committer.recover(Remedy.ABORT))
    assert bench.log[-1] == "commit"
    assert not bench.transaction.open


def test_a_commit_that_was_given_up_and_hangs_ends_with_another_producer():
    bench = given_up("commit")
    bench.producers[0].done = StepDone("commit", HANGS)
    bench.run(bench.committer.recover(Remedy.ABORT))
    assert bench.log[-2:] == ["close", "init"], "whose initialisation settles what became of it"
