from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.plan.internal import TaskId
from millstream.runtime.rounds import InputView, Turn, horizon, next_turn

A, B, C = (TaskId(0, number) for number in range(3))
SKEW_MS = 1_000


def view(buffered=1, newest_ms=0, caught_up=False, quiet_ms=0) -> InputView:
    return InputView(buffered, newest_ms, caught_up, quiet_ms)


def test_the_partition_that_is_furthest_behind_sets_the_horizon():
    assert horizon([view(newest_ms=900), view(newest_ms=300)], [200, 250], 500) == 300


def test_a_partition_read_to_its_end_holds_nobody_back():
    assert horizon([view(newest_ms=900), view(buffered=0, newest_ms=300, caught_up=True)], [400], 500) == 900
    assert horizon([view(caught_up=True)], [400], 500) is None


def test_a_silent_partition_holds_others_back_for_a_while():
    assert horizon([view(newest_ms=900), view(buffered=0, newest_ms=200, quiet_ms=499)], [800], 500) == 200
    assert horizon([view(newest_ms=900), view(buffered=0, newest_ms=200, quiet_ms=500)], [800], 500) == 900


def test_a_partition_that_has_yet_to_begin_holds_others_back_for_longer():
    assert horizon([view(newest_ms=900), view(buffered=0, newest_ms=-1, quiet_ms=4_999)], [800], 500) == -1
    assert horizon([view(newest_ms=900), view(buffered=0, newest_ms=-1, quiet_ms=5_000)], [800], 500) == 900


def test_a_horizon_in_another_time_than_the_programs_is_passed_over():
    assert horizon([view(newest_ms=700), view(newest_ms=900)], [8_000, 9_000], 500) is None
    assert horizon([view(newest_ms=700), view(newest_ms=900)], [8_000, None], 500) == 700


def test_the_earliest_task_goes_first_up_to_a_skew_beyond_the_next():
    assert next_turn({A: 5_000, B: 100, C: 300}, None, SKEW_MS) == Turn(B, 1_300)


def test_a_lone_task_is_bound_by_the_horizon_alone():
    assert next_turn({A: 100}, None, SKEW_MS) == Turn(A, None)
    assert next_turn({A: 100}, 700, SKEW_MS) == Turn(A, 700)


def test_nothing_runs_beyond_the_horizon():
    assert next_turn({A: 800}, 700, SKEW_MS) is None
    assert next_turn({A: 600, B: 800}, 700, SKEW_MS) == Turn(A, 700)


def test_without_records_there_is_no_turn():
    assert next_turn({}, None, SKEW_MS) is None


class Replay:
    """Tasks with one partition each, fetched in portions of any size, run as `next_turn` says."""

    def __init__(self, partitions: list[list[int]]) -> None:
        self.stored = dict(enumerate(map(sorted, partitions)))
        self.fetched: dict[int, list[int]] = {number: [] for number in self.stored}
        self.at = dict.fromkeys(self.stored, 0)
        self.written: list[int] = []

    def fetch(self, number: int, rows: int) -> None:
        held = self.fetched[number]
        held += self.stored[number][len(held) : len(held) + rows]

    def view(self, number: int) -> InputView:
        fetched = self.fetched[number]
        return view(
            buffered=len(fetched) - self.at[number],
            newest_ms=fetched[-1] if fetched else -1,
            caught_up=len(fetched) == len(self.stored[number]),
        )

    def run(self) -> None:
        limit = horizon(map(self.view, self.stored), self.heads().values(), 500)
        while turn := next_turn(self.heads(), limit, SKEW_MS):
            number = turn.task.partition
            taken = [
                time
                for time in self.fetched[number][self.at[number] :]
                if turn.up_to_ms is None or time <= turn.up_to_ms
            ]
            assert taken, "a turn that takes nothing would never end"
            self.at[number] += len(taken)
            self.written += taken

    def heads(self) -> dict[TaskId, int]:
        return {TaskId(0, n): rows[self.at[n]] for n, rows in self.fetched.items() if self.at[n] < len(rows)}


times = st.lists(st.integers(0, 20_000), max_size=40)


@given(st.lists(times, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 10))))
def test_a_replay_is_written_in_order_but_for_the_skew_however_it_is_fetched(partitions, portions):
    replay = Replay(partitions)
    for number, rows in portions:
        if number in replay.stored:
            replay.fetch(number, rows)
            replay.run()
    for number in replay.stored:
        replay.fetch(number, 1_000)
    replay.run()
    assert sorted(replay.written) == sorted(time for rows in partitions for time in rows)
    newest = 0
    for time in replay.written:
        assert time >= newest - SKEW_MS
        newest = max(newest, time)
