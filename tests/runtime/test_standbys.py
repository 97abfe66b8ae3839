"""Standby copies over clients in memory: opened, read, handed over, given up (rule X8)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pytest
from tests.runtime.fakes import FakeData, FakeMembership, FakeView, ManualClock

import millstream as ms
from millstream.app import App
from millstream.client.contract import OUT_OF_RANGE, Fetched, Member, PartitionEnd, PartitionFailure
from millstream.engine import Outbox
from millstream.errors import KafkaError
from millstream.model import Batch, TopicPartition
from millstream.plan.internal import internal_topics
from millstream.runtime import opening
from millstream.runtime.held import HeldTask
from millstream.runtime.intake import Intake
from millstream.runtime.local_state import LocalState
from millstream.runtime.opening import Opening, Surroundings
from millstream.runtime.standbys import Reading, Standbys
from millstream.runtime.status import StandbyStatus
from millstream.runtime.task_table import TaskTable
from millstream.runtime.worker_tables import WorkerTables
from millstream.serde.scalars import INT64
from millstream.state.folder import TaskFolder
from millstream.state.window import SUFFIX

MINE, THEIRS = TopicPartition("app-tasks", 0), TopicPartition("app-tasks", 1)
LOG = TopicPartition("app-counts-changelog", 1)


class Log(FakeData):
    """The changelog of the task that another worker has: from `begin` on, in batches as large as one asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = 0
        self.rows: list[tuple[bytes, bytes | None]] = []
        self.failures: list[PartitionFailure] = []

    def count(self, *counts: int, key: bytes = b"k") -> None:
        self.rows += [(key, INT64.encode(each)) for each in counts]

    @property
    def end(self) -> int:
        return self.begin + len(self.rows)

    def poll(self, *, max_records: int, timeout_ms: int) -> Fetched:
        assert timeout_ms == 0, "tasks do not wait for standby copies"
        failures, self.failures = self.failures, []
        if LOG not in self.assigned:
            return Fetched([], [], failures)
        first = self.assigned[LOG]
        if not self.begin <= first <= self.end:
            return Fetched([], [], [PartitionFailure(LOG, KafkaError("out of range", code=OUT_OF_RANGE))])
        rows = self.rows[first - self.begin :][:max_records]
        if not rows:
            return Fetched([], [], failures)
        offsets = range(first, first + len(rows))
        self.assigned[LOG] = offsets.stop
        keys, values = zip(*rows, strict=True)
        ends = [PartitionEnd(LOG, offsets.stop)] if offsets.stop == self.end else []
        return Fetched([Batch(LOG, offsets, [5] * len(rows), keys, values, None, offsets.stop)], ends, failures)

    def watermarks(self, source: TopicPartition, *, timeout_ms: int) -> tuple[int, int]:
        del source, timeout_ms
        return self.begin, self.end

    def known_end(self, source: TopicPartition) -> int | None:
        del source
        return self.end


def group(mine: TopicPartition = MINE, theirs: TopicPartition = THEIRS) -> list[Member]:
    return [Member("me", "app@here", frozenset({mine})), Member("you", "app@there", frozenset({theirs}))]


class Bench:
    """A worker that has one of two tasks; another has the other one."""

    def __init__(self, folder, store: str, *, windowed: bool = False) -> None:
        app = App("app", num_standby_replicas=1, store=store, state_dir=folder, cache=0)
        grouped = app.stream("in", key=str, value=str).group_by_key()
        counted = grouped.windowed_by(ms.tumbling("10ms")) if windowed else grouped
        counted.count(store="counts").to_stream().foreach(lambda _: None)
        topology, counts = app.topology(), {"in": 2, "out": 1}
        self.clock, self.log, self.view = ManualClock(), Log(), FakeView(group())
        self.membership = FakeMembership([])
        outbox = Outbox(counts)
        self.table = TaskTable.of("app", "plan", internal_topics(topology, "app", counts).tasks)
        self.local = LocalState(app.settings)
        surroundings = Surroundings(
            topology,
            app.settings,
            self.table,
            outbox,
            Intake(self.log, app.settings, self.clock),
            self.log,
            self.membership,
            self.clock,
            self.local,
        )
        self.opening = Opening(surroundings, WorkerTables(topology, counts, app.settings, outbox))
        self.standbys = Standbys(surroundings, self.opening, Reading(self.log, self.view))

    @property
    def folder(self) -> TaskFolder:
        return self.local.folder(self.table.task_of(THEIRS).id)

    def turn(self, times: int = 5, *, worked: bool = False, held: tuple[TopicPartition, ...] = (MINE,)) -> None:
        for _ in range(times):
            self.standbys.turn(held, worked=worked)
            self.clock.now_ms += 200

    def take_over(self) -> HeldTask:
        """The group gives the task to this worker."""
        held = self.standbys.give(THEIRS)
        assert held is not None
        self.opening.open(held)
        return held


@pytest.fixture(params=["memory", "rocksdb"])
def bench(request, tmp_path) -> Iterator[Bench]:
    made = Bench(tmp_path, request.param)
    yield made
    made.standbys.close()


def lags(bench: Bench) -> Mapping[str, int | None]:
    return {each.id: each.lag for each in bench.standbys.statuses()}


def close(held: HeldTask) -> None:
    held.task.close()
    if held.folder is not None:
        held.folder.release()


def test_a_copy_of_what_another_has_is_kept_up_to_date(bench):
    bench.log.count(1, 2, 3)
    bench.turn()
    assert bench.standbys.statuses() == (StandbyStatus("0_1", 1, 0, 0, 3),)
    bench.log.count(4)
    assert lags(bench) == {"0_1": 1}
    bench.turn(1)
    assert lags(bench) == {"0_1": 0}


def test_a_task_goes_on_from_its_copy_and_restores_the_rest_alone(bench):
    bench.log.count(1, 2, 3)
    bench.turn()
    bench.log.count(4, 5)
    held = bench.take_over()
    restoring = held.restoring[LOG]
    assert (restoring.begin, restoring.end) == (3, 5)
    held.take(Batch(LOG, [3, 4], [5, 5], [b"k", b"k"], [INT64.encode(4), INT64.encode(5)], None, 5))
    assert held.restored and held.restored_rows == 2
    held.task.start(wall_ms=0)
    assert held.task.store("counts").get("k")[0] == 5
    assert LOG not in bench.log.assigned and not list(bench.standbys)
    close(held)


def test_no_more_is_read_in_a_turn_than_tasks_can_spare(bench):
    bench.turn()
    bench.log.count(*range(30_000))
    bench.turn(1)
    at_rest = sum(each.rows for each in bench.standbys)
    bench.turn(1, worked=True)
    busy = sum(each.rows for each in bench.standbys) - at_rest
    assert busy < at_rest < 30_000
    assert bench.standbys.busy
    bench.turn(10)
    assert lags(bench) == {"0_1": 0} and not bench.standbys.busy


def test_an_unsettled_group_is_looked_at_again_and_again_but_not_in_each_turn(bench):
    bench.view.group = None
    bench.turn(10)
    assert not list(bench.standbys) and 1 < bench.view.asked < 6
    bench.view.group = group()
    bench.turn(5)
    asked = bench.view.asked
    assert len(list(bench.standbys)) == 1
    bench.turn(10)
    assert bench.view.asked == asked, "nothing is asked while the group stays as it is"


def test_a_group_that_this_worker_is_not_in_is_not_followed(bench):
    bench.view.group = [Member("you", "app@there", frozenset({MINE, THEIRS}))]
    bench.turn(10)
    assert not list(bench.standbys)


def test_in_another_generation_copies_go_where_they_belong(bench, caplog):
    caplog.set_level(logging.INFO, "millstream.runtime")
    bench.turn()
    bench.view.group = [Member("me", "app@here", frozenset({MINE, THEIRS}))]
    bench.membership.generation = 2
    bench.turn()
    assert not list(bench.standbys) and LOG not in bench.log.assigned
    assert "no standby copy is kept here any more" in caplog.text
    assert bench.folder.lock(), "its folder is free"
    bench.folder.release()


def test_a_task_that_this_worker_still_has_gets_no_copy(bench):
    bench.turn(held=(MINE, THEIRS))
    assert not list(bench.standbys)
    bench.turn(held=(MINE,))
    assert len(list(bench.standbys)) == 1


def test_a_copy_that_fell_behind_its_changelog_begins_anew_and_says_why(bench, caplog):
    bench.log.count(1, 2, 3)
    bench.turn()
    bench.log.begin, bench.log.rows = 10, []
    bench.log.count(7, 8)
    bench.turn()
    assert "up to offset 3, from where it cannot be read any more" in caplog.text
    held = bench.take_over()
    assert held.restoring[LOG].begin == held.restoring[LOG].end == 12
    held.task.start(wall_ms=0)
    assert held.task.store("counts").get("k")[0] == 8
    if held.folder is not None:
        assert "is at offset" not in caplog.text and "records that the store lacks are gone" in caplog.text
        assert (held.folder.path / "db.aside-1").is_dir(), "nothing is deleted"
    close(held)


def test_a_changelog_that_is_cut_before_the_copy_is_taken_over_is_noticed(bench, caplog):
    bench.log.count(1, 2, 3)
    bench.turn()
    bench.log.rows = bench.log.rows[:2]
    held = bench.take_over()
    assert "up to offset 3, but it ends at 2" in caplog.text
    assert (held.restoring[LOG].begin, held.restoring[LOG].end) == (0, 2)
    close(held)


def test_a_copy_that_cannot_be_read_is_given_up_until_the_group_changes(bench, caplog):
    bench.turn()
    bench.log.failures = [PartitionFailure(LOG, KafkaError("not allowed", code=29))]
    bench.turn(20)
    assert not list(bench.standbys) and "given up: not allowed" in caplog.text
    bench.membership.generation = 2
    bench.turn()
    assert len(list(bench.standbys)) == 1


def test_records_that_do_not_fit_give_up_the_copy_and_not_the_worker(bench, caplog):
    bench.turn()
    bench.log.rows.append((b"k", b"short"))
    bench.turn()
    if bench.folder.path.exists():  # files hold bytes as they are; they are looked at when the task runs
        assert len(list(bench.standbys)) == 1
    else:
        assert not list(bench.standbys) and "does not fit the store" in caplog.text


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_a_copy_lets_go_of_what_the_changelog_has_no_more(tmp_path, monkeypatch, store):
    """Its owner forgets windows by its work, which a copy doesn't do."""
    monkeypatch.setattr(opening, "RENEWED_ROWS", 50)
    bench = Bench(tmp_path, store, windowed=True)
    bench.turn()

    def windows(first: int, end: int) -> None:
        for number in range(first, end):
            bench.log.count(number, key=b"k" + SUFFIX.pack(10 * number, 0))

    windows(0, 49)
    bench.turn()
    assert [each.rows for each in bench.standbys] == [49]
    bench.log.begin, bench.log.rows = 40, bench.log.rows[40:]
    windows(49, 60)
    bench.turn(10)
    assert [(each.rows, each.renew_at) for each in bench.standbys] == [(20, 2 * 20 + 50)]
    held = bench.take_over()
    assert held.restoring[LOG].begin == held.restoring[LOG].end == 60
    held.task.start(wall_ms=0)
    rows = held.task.store("counts")
    assert [rows.find("k", 10 * number) is not None for number in (0, 39, 40, 59)] == [False, False, True, True]
    if held.folder is not None:
        assert [each.name for each in sorted(held.folder.path.iterdir())] == ["db", "lock"], "nothing to set aside"
    close(held)


def test_files_that_another_worker_has_locked_are_left_to_it(tmp_path):
    bench = Bench(tmp_path, "rocksdb")
    owner = bench.folder
    assert owner.lock()
    bench.turn(10)
    assert not list(bench.standbys)
    owner.release()
    bench.turn(10)
    assert len(list(bench.standbys)) == 1
    bench.standbys.close()


def test_files_that_are_there_are_where_a_copy_begins(tmp_path):
    first = Bench(tmp_path, "rocksdb")
    first.log.count(1, 2, 3)
    first.turn()
    first.standbys.close()
    again = Bench(tmp_path, "rocksdb")
    again.log.count(1, 2, 3, 4)
    again.turn()
    assert again.standbys.statuses() == (StandbyStatus("0_1", 1, 0, 0, 1),)
    again.standbys.close()
