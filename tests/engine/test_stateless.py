"""Operators of one record at a time, through the test driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import ProcessingError
from tests.driving import Driven, every

Strings = ms.Stream[str, str]


def driven(step: Callable[[Strings], ms.Stream[Any, Any]]) -> Driven:
    app = every()
    step(app.stream("in", value=str)).to("out", key=str, value=str)
    return Driven(app)


def test_filter_keeps_what_the_predicate_holds_for() -> None:
    run = driven(lambda s: s.filter(lambda v: v != "b"))
    assert run.says("in k a 1", "in k b 2", "in k c 3") == ["k=a@1", "k=c@3"]


def test_filter_with_two_parameters_sees_the_key() -> None:
    run = driven(lambda s: s.filter(lambda k, v: k == "y"))
    assert run.says("in x a 1", "in y b 2") == ["y=b@2"]


def test_filter_not_keeps_the_others() -> None:
    run = driven(lambda s: s.filter_not(lambda k, v: k == "y"))
    assert run.says("in x a 1", "in y b 2") == ["x=a@1"]
    run = driven(lambda s: s.filter_not(lambda v: v == "a"))
    assert run.says("in x a 1", "in y b 2") == ["y=b@2"]


@pytest.mark.parametrize(
    "step",
    [
        lambda s, f: s.filter(f),
        lambda s, f: s.map_values(f),
        lambda s, f: s.peek(f),
        lambda s, f: s.select_key(f),
        lambda s, f: s.map(lambda k, v: (f(k, v), v)),
        lambda s, f: s.flat_map(lambda k, v: [(f(k, v), v)]),
    ],
)
def test_null_keys_and_values_reach_the_function(step: Any) -> None:  # O2
    seen: list[tuple[Any, Any]] = []
    run = driven(lambda s: step(s, lambda k, v: seen.append((k, v))))
    run.pipe("in - a 1", "in k - 2", "in - - 3")
    assert seen == [(None, "a"), ("k", None), (None, None)]


def test_map_values_keeps_key_and_timestamp() -> None:
    run = driven(lambda s: s.map_values(lambda v: v * 2))
    assert run.says("in k a 7") == ["k=aa@7"]
    run = driven(lambda s: s.map_values(lambda k, v: k + v))
    assert run.says("in k a 7", "in q b 3") == ["k=ka@7", "q=qb@3"]


def test_map_and_select_key_change_the_key() -> None:
    run = driven(lambda s: s.map(lambda k, v: (v, k)))
    assert run.says("in k a 7") == ["a=k@7"]
    run = driven(lambda s: s.select_key(lambda v: v + "!"))
    assert run.says("in k a 7") == ["a!=a@7"]
    run = driven(lambda s: s.select_key(lambda k, v: k + v))
    assert run.says("in k a 7") == ["ka=a@7"]


def test_flat_map_gives_pairs_in_order() -> None:  # O2
    run = driven(lambda s: s.flat_map(lambda k, v: ((c, k) for c in v)))
    assert run.says("in k cab 7") == ["c=k@7", "a=k@7", "b=k@7"]


def test_flat_map_values_gives_values_in_order() -> None:
    run = driven(lambda s: s.flat_map_values(lambda v: v.split("-")))
    assert run.says("in k c-a 7") == ["k=c@7", "k=a@7"]
    run = driven(lambda s: s.flat_map_values(lambda k, v: [k, v]))
    assert run.says("in k c 7") == ["k=k@7", "k=c@7"]
    run = driven(lambda s: s.flat_map_values(lambda v: []))
    assert run.says("in k c 7") == []


def breaks_after_two(key: str, value: str) -> Iterator[tuple[str, str]]:
    yield key, value + "1"
    yield key, value + "2"
    raise ValueError("broken")


FLAT_STEPS: dict[str, Callable[[Strings], ms.Stream[Any, Any]]] = {
    "flat_map": lambda s: s.flat_map(breaks_after_two),
    "flat_map_values": lambda s: s.flat_map_values(lambda k, v: (value for _, value in breaks_after_two(k, v))),
    "pairs that are none": lambda s: s.flat_map(lambda k, v: [(k, v + "1"), (k, v + "2"), (k,)]),  # type: ignore[list-item, return-value]
}


@pytest.mark.parametrize("step", FLAT_STEPS)
def test_what_was_given_before_a_failure_has_gone_on(step: str) -> None:  # O2, X15
    app = every()
    FLAT_STEPS[step](app.stream("in", value=str)).to("out", key=str, value=str)
    run = Driven(app, EngineSettings(on_error="skip"))
    assert run.says("in k a 1", "in k b 2") == ["k=a1@1", "k=a2@1", "k=b1@2", "k=b2@2"]
    assert run.driver.metrics.dropped == 2
    run = Driven(app)
    with pytest.raises(ProcessingError, match=rf"{step.split(maxsplit=1)[0]}|flat_map at "):
        run.pipe("in k a 1")
    assert run.out() == ["k=a1@1", "k=a2@1"]


def test_a_failure_below_is_not_taken_for_the_functions() -> None:  # X15
    def fails(value: str) -> str:
        raise ValueError("below")

    app = every()
    app.stream("in", value=str).flat_map_values(lambda v: (v for _ in range(2))).map_values(fails).to("out")
    with pytest.raises(ProcessingError, match=r"map_values at .*test_stateless.py:\d+ failed: ValueError: below"):
        Driven(app).pipe("in k a 1")


def test_records_are_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:  # N6
    app = every()
    stream = app.stream("in", value=str)
    stream.print()
    stream.print("seen", text=lambda v: v.upper())
    stream.print("both", text=lambda k, v: f"{k} has {v}")
    stream.print("kept", file=tmp_path / "lines", name="log")
    run = Driven(app)
    run.pipe("in k a 1", "in - b 2")
    name = "KSTREAM-SOURCE-0000000000"
    assert capsys.readouterr().out.splitlines() == [
        f"[{name}]: k, a",
        "[seen]: A",
        "[both]: k has a",
        f"[{name}]: None, b",
        "[seen]: B",
        "[both]: None has b",
    ]
    assert (tmp_path / "lines").read_text() == "[kept]: k, a\n[kept]: None, b\n", "it is there at once"
    run.driver.close()
    again = Driven(app)
    again.pipe("in k c 3")
    again.driver.close()
    assert (tmp_path / "lines").read_text().splitlines()[2:] == ["[kept]: k, c"]
    assert [node.name for node in app.topology().nodes][1:] == [
        "KSTREAM-PRINTER-0000000001",
        "KSTREAM-PRINTER-0000000002",
        "KSTREAM-PRINTER-0000000003",
        "log",
    ]


def test_a_file_that_cannot_be_written_stops_the_task(tmp_path: Path) -> None:
    app = every()
    app.stream("in", value=str).print(file=tmp_path / "none" / "lines")
    with pytest.raises(ProcessingError, match=r"print at .*: cannot write to .*lines: No such file or directory"):
        Driven(app)


def test_a_repartition_topic_may_have_serdes_of_its_own() -> None:  # O7
    app = every()
    app.stream("in", value=str).repartition(name="r", value=ms.JsonSerde(str)).to("out")
    run = Driven(app)
    run.pipe("in k v 1")
    assert run.driver.read_bytes("app-r-repartition") == [(b"k", b'"v"', 1, ())]
    assert run.driver.read_bytes("out") == [(b"k", b'"v"', 1, ())]


def test_peek_passes_on_and_foreach_ends() -> None:
    seen: list[str] = []
    app = every()
    stream = app.stream("in", value=str)
    stream.peek(seen.append).to("out")
    stream.foreach(lambda k, v: seen.append(k))
    assert Driven(app).says("in k a 1") == ["k=a@1"]
    assert seen == ["a", "k"]


def test_children_run_depth_first_in_the_order_of_attachment() -> None:  # O1
    app = every()
    stream = app.stream("in", value=str)
    first = stream.map_values(lambda v: v + "1")
    second = stream.map_values(lambda v: v + "2")
    second.merge(first).to("out")
    first.map_values(lambda v: v + "x").to("out")
    assert Driven(app).says("in k v 0") == ["k=v1@0", "k=v1x@0", "k=v2@0"]


def test_merge_takes_both() -> None:
    app = every()
    app.stream("in", value=str).merge(app.stream("other", value=str)).to("out")
    assert Driven(app).says("in k a 1", "other q b 0") == ["k=a@1", "q=b@0"]


def test_a_stream_merged_with_itself_has_each_record_once() -> None:
    app = every()
    stream = app.stream("in", value=str)
    stream.merge(stream).to("out")
    assert Driven(app).says("in k a 1") == ["k=a@1"]


def test_repartition_drops_null_keys() -> None:  # O6
    run = driven(lambda s: s.repartition(name="r"))
    assert run.says("in k a 1", "in - b 2", "in k - 3") == ["k=a@1", "k=null@3"]
    assert run.driver.metrics.dropped == 1


def test_headers_go_along() -> None:  # T8
    app = every()
    app.stream("in", value=str).map_values(lambda v: v).group_by_key().reduce(lambda a, b: a + b).to_stream().to("out")
    run = Driven(app)
    run.driver.pipe("in", "a", key="k", timestamp=1, headers=(("h", b"1"),))
    run.driver.pipe("in", "b", key="k", timestamp=2)
    assert [record.headers for record in run.driver.read("out")] == [(("h", b"1"),), ()]


def test_several_topics_are_one_stream() -> None:
    app = every()
    app.stream("in", "other", value=str).to("out")
    assert Driven(app).says("in k a 1", "other q b 0") == ["k=a@1", "q=b@0"]


def test_a_topic_read_twice_alike_is_one_source() -> None:
    app = every()
    app.stream("in", value=str).to("out")
    app.stream("in", value=str).map_values(lambda v: v + v, value=str).to("out")
    assert Driven(app).says("in k a 1") == ["k=a@1", "k=aa@1"]


def test_a_topic_read_twice_with_the_same_time_function_is_one_source() -> None:
    def time(value: str) -> int:
        return int(value)

    app = every()
    app.stream("in", value=str, time=time).to("out")
    app.stream("in", value=str, time=time).map_values(lambda v: v + v, value=str).to("out")
    assert Driven(app).says("in k 7 1") == ["k=7@7", "k=77@7"]


def test_a_sink_whose_topic_is_a_source_feeds_it() -> None:  # D2
    app = every()
    app.stream("in", value=str).filter(lambda v: len(v) < 4).map_values(lambda v: v + v, value=str).to("in")
    app.stream("in", value=str).filter(lambda v: len(v) >= 4).to("out")
    assert Driven(app).says("in k a 1") == ["k=aaaa@1"]
