"""Records that are late for their windows are counted, and go into a stream of their own (W3, W7, W14)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import millstream as ms
from millstream.errors import TopologyError
from millstream.testing import OutputRecord, TestDriver
from tests.driving import Driven, every

WINDOWS: dict[str, Any] = {
    "tumbling": ms.tumbling(10, grace=5),
    "hopping": ms.hopping(10, advance=4),
    "sliding": ms.sliding(10, grace=3),
    "session": ms.session(5, grace=2),
}


def windowed(app: ms.App, windows: Any, *, on_close: bool = False) -> ms.Table[Any, str]:
    grouped = app.stream("in", value=str).group_by_key().windowed_by(windows)
    table = (grouped.emit_on_close() if on_close else grouped).reduce(lambda a, b: a + b)
    table.late().to("late")
    table.to_stream().to("out")
    return table


def late_of(windows: Any, *records: str, on_close: bool = False) -> tuple[list[str], int]:
    app = every()
    windowed(app, windows, on_close=on_close)
    run = Driven(app)
    return run.says(*records, topic="late"), run.driver.metrics.late


@pytest.mark.parametrize("on_close", [False, True])
def test_tumbling(on_close: bool) -> None:  # W3
    records = ("in a x 3", "in b q 14", "in a L 4", "in b r 15", "in a M 4", "in - q 40")
    assert late_of(ms.tumbling(10, grace=5), *records, on_close=on_close) == (["a=M@4"], 1)


def test_a_record_that_one_hopping_window_takes_is_not_late() -> None:  # W3
    records = ("in a x 0", "in a y 9", "in a z 12", "in a L 9", "in a N 1")
    assert late_of(ms.hopping(10, advance=4), *records) == (["a=N@1"], 2)  # [0,10] of L and of N


def test_sliding() -> None:  # W7
    records = ("in a x 100", "in a y 113", "in a early 101", "in a L 99", "in b M 103", "in a N 103")
    # the last one is in [103,113], though late for [93,103] and [101,111]
    assert late_of(ms.sliding(10), *records) == (["a=early@101", "a=L@99", "b=M@103"], 5)


def test_a_sliding_record_whose_only_window_is_over_is_late() -> None:  # W7
    # not dropped as a whole, but [90,100] ended before 101, and there is no other window yet
    assert late_of(ms.sliding(10), "in b y 101", "in a x 100") == (["a=x@100"], 1)


def test_sessions() -> None:  # W14
    records = ("in a x 100", "in b y 115", "in a L 101", "in a M 99", "in b z 118", "in a N 101")
    late = ["a=L@101", "a=M@99", "a=N@101"]
    assert late_of(ms.session(10, grace=5), *records) == (["a=N@101"], 1)
    assert late_of(ms.session(10), *records) == (late, 3)


def test_null_keys_are_dropped_and_not_late() -> None:  # W2
    assert late_of(ms.tumbling(10), "in a x 30", "in - y 3") == ([], 0)


class Reading(ms.Record):
    n: int
    at: str


def test_records_stay_as_they_were() -> None:  # T8
    app = ms.App("app")  # emits the latest of a round; late records go on at once all the same
    grouped = app.stream("in", value=Reading).group_by("at").windowed_by(ms.tumbling(10))
    counts = grouped.aggregate(n=ms.earliest("n"))  # which takes timestamps with its values
    counts.late().filter(lambda reading: reading.n > 1).to("late")
    with TestDriver(app) as driver:
        driver.pipe("in", Reading(1, "x"), timestamp=50)
        for n in (1, 2):
            driver.pipe("in", Reading(n, "x"), timestamp=5, headers=(("h", b"1"),))
        assert driver.read("late") == [OutputRecord("x", Reading(2, "x"), 5, (("h", b"1"),))]


def test_of_a_cogroup_the_late_records_of_all_its_streams() -> None:  # A5, W3
    app = every()
    first, then = (app.stream(topic, value=str).group_by_key() for topic in ("l", "r"))
    both = first.cogroup(lambda v, n: n + v).cogroup(then, lambda v, n: n + v).windowed_by(ms.tumbling(10))
    table = both.aggregate(lambda: "", value=str)
    table.late().to("late")
    table.to_stream().to("out")
    run = Driven(app)
    # each of the two aggregations has its own time
    assert run.says("l a x 20", "r a y 3", "l a z 4", "r a w 30", "r a v 5", topic="late") == ["a=z@4", "a=v@5"]
    assert run.out() == ["a[20,30]=x@20", "a[0,10]=y@3", "a[30,40]=w@30"]


def test_it_changes_no_generated_name() -> None:  # N8
    def names(*, late: bool) -> list[str]:
        app = every()
        counts = app.stream("in", value=str).group_by(lambda v: v).windowed_by(ms.tumbling(10)).count()
        if late:
            assert counts.late().handle.node == counts.late().handle.node  # the same stream, however often it is used
        counts.filter(lambda n: n > 1).to_stream().to("out")
        topology = app.topology()
        return [node.name for node in topology.nodes] + [store.name for store in topology.stores]

    plain, with_late = names(late=False), names(late=True)
    assert [name for name in with_late if not name.endswith("-late")] == plain
    assert len(with_late) == len(plain) + 1


@pytest.mark.parametrize(
    ("windows", "wanted"),
    [
        (None, r"late at .*test_late\.py:\d+: only aggregations in windows drop late records; call late\(\) on"),
        (ms.unlimited(), r"late at .*test_late\.py:\d+: unlimited windows never close"),
    ],
)
def test_refused_where_nothing_is_late(windows: Any, wanted: str) -> None:
    grouped = every().stream("in", value=str).group_by_key()
    counts = (grouped if windows is None else grouped.windowed_by(windows)).count()
    with pytest.raises(TopologyError, match=wanted):
        counts.late()


def test_refused_behind_another_operator_and_for_values_of_two_types() -> None:
    app = every()
    counts = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10)).count()
    with pytest.raises(TopologyError, match="before any other operator"):
        counts.filter(lambda n: n > 1).late()
    first = app.stream("l", value=str).group_by_key().cogroup(lambda v, n: n + 1)
    both = first.cogroup(app.stream("r", value=int).group_by_key(), lambda v, n: n + v)
    with pytest.raises(TopologyError, match=r"values of str.* and .*int.*map_values them to one type"):
        both.windowed_by(ms.tumbling(10)).aggregate(lambda: 0, value=int).late()


def test_types_that_are_given_must_be_those_of_the_records() -> None:
    app = every()
    counts = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10)).count()
    counts.late(key=str, value=str).to("late")
    with pytest.raises(
        TopologyError, match=r"late at .*test_late\.py:\d+: value= is .*int.*, but the values of .* are str"
    ):
        counts.late(value=int)


class Numbered(ms.Record):
    n: int


@pytest.mark.parametrize("on_close", [False, True])
@pytest.mark.parametrize("kind", list(WINDOWS))
@settings(max_examples=60, deadline=None)
@given(times=st.lists(st.integers(0, 60), max_size=25), keys=st.lists(st.sampled_from("ab"), min_size=25, max_size=25))
def test_each_record_is_in_a_window_or_late(kind: str, on_close: bool, times: list[int], keys: list[str]) -> None:
    """And never both, nor late twice."""
    app = every()
    grouped = app.stream("in", value=Numbered).group_by_key().windowed_by(WINDOWS[kind])
    table = (grouped.emit_on_close() if on_close else grouped).aggregate(records=ms.collect_list("n"), store="s")
    table.late().to("late")
    table.to_stream().to("out")
    with TestDriver(app) as driver:
        for n, time in enumerate(times):
            driver.pipe("in", Numbered(n), key=keys[n], timestamp=time)
        driver.pipe("in", Numbered(-1), key="end", timestamp=1000)  # closes all windows but its own
        late = [record.value.n for record in driver.read("late")]
        out = [record.value for record in driver.read("out", value=Any) if record.value is not None]
        taken = {n for value in out for n in value["records"]} - {-1}
    assert len(late) == len(set(late))
    assert taken | set(late) == set(range(len(times)))
    assert not taken & set(late)
