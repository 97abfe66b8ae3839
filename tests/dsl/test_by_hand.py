"""Topologies built by hand: sources, processors, sinks and stores by name (P2, P7, N18)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import millstream as ms
from millstream.errors import TopologyError
from millstream.model import TopicPartition
from millstream.plan.describe import describe
from tests.driving import Driven, every
from tests.engine.tasks import Plan, Row, batch_of

COUNTS = ms.key_value_store("counts", value=int)


class Counting:
    """How many records of each key there were."""

    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.counts = context, context.get_state_store("counts")

    def process(self, record: ms.Message) -> None:
        self.counts.put(record.key, (self.counts.get(record.key) or 0) + 1)
        self.context.forward(record.with_value(self.counts.get(record.key)))


class Routing:
    """Long values to one child, the others to another."""

    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context

    def process(self, record: ms.Message) -> None:
        self.context.forward(record, "long" if len(record.value) > 1 else "short")


def shouted(record: ms.Message) -> Iterator[ms.Message]:
    yield record.with_value(record.value.upper())


def test_a_topology_by_hand() -> None:  # P2, P7
    app = every()
    app.add_source("lines", "in", "more", value=str)
    app.add_processor("route", Routing, "lines")
    app.add_processor("short", shouted, "route")
    app.add_processor("long", shouted, ["route"])
    app.add_sink("out", "out", ["short", "long"], value=str)
    app.add_sink("long-ones", "long", "long", value=str)
    run = Driven(app)
    assert run.says("in a x 1", "more b yy 2") == ["a=X@1", "b=YY@2"]
    assert run.out("long") == ["b=YY@2"]


@pytest.mark.parametrize("how", ["stores", "add_store", "connect"])
def test_stores_are_connected_in_three_ways(how: str) -> None:  # P7
    app = every()
    app.add_source("lines", "in", value=str)
    app.add_processor("count", Counting, "lines", stores=[COUNTS] if how == "stores" else ())
    app.add_sink("out", "out", "count", value=int)
    if how == "add_store":
        assert app.add_store(COUNTS, "count") == "counts"
    elif how == "connect":
        app.add_store(COUNTS)
        assert app.connect("count", "counts") == "count"
    assert Driven(app).says("in a x 1", "in a y 2") == ["a=1@1", "a=2@2"]


def test_a_shared_store_makes_one_sub_topology() -> None:  # P7, N18
    app = every()
    for number in (1, 2):
        app.add_source(f"in{number}", f"in{number}", value=str)
        app.add_processor(f"count{number}", Counting, f"in{number}")
        app.add_sink(f"out{number}", "out", f"count{number}", value=int)
    assert len(app.topology().subtopologies) == 2
    app.add_store(COUNTS, "count1", "count2")
    assert len(app.topology().subtopologies) == 1
    assert Driven(app).says("in1 a x 1", "in2 a y 2") == ["a=1@1", "a=2@2"]


class Keeping:
    """Puts what comes into the store as it is."""

    def init(self, context: ms.ProcessorContext) -> None:
        self.rows = context.get_state_store("cities")

    def process(self, record: ms.Message) -> None:
        self.rows.put(record.key, record.value)


class Looking:
    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.rows = context, context.get_state_store("cities")

    def process(self, record: ms.Message) -> None:
        self.context.forward(record.with_value(self.rows.get(record.value)))


def reading_cities() -> ms.App:
    app = every()
    store = ms.key_value_store("cities", value=str)
    app.add_read_only_store(store, "cities", Keeping, source="cities", processor="keep")
    app.add_source("lines", "in", value=str)
    app.add_processor("look", Looking, "lines", stores=["cities"])
    app.add_sink("out", "out", "look", value=str)
    return app


def test_a_store_whose_changelog_is_its_topic() -> None:  # P7, X7
    run = Driven(reading_cities())
    assert run.says("cities no oslo 1", "in a no 2", "cities no - 3", "in a no 4") == ["a=oslo@2", "a=null@4"]
    assert run.driver.changelog == []


def test_it_is_restored_from_that_topic() -> None:  # X7
    plan = Plan(reading_cities(), {"in": 1, "cities": 1, "out": 1})
    assert plan.resolved.topics == ()
    (spec,) = plan.resolved.tasks
    cities, lines = TopicPartition("cities", 0), TopicPartition("in", 0)
    outbox = plan.outbox()
    task = plan.task(spec, outbox)
    task.restore(cities, batch_of(cities, [Row(b"no", b"oslo", 1)]))
    task.start()
    task.caught_up(cities, 1)
    task.add(batch_of(lines, [Row(b"a", b"no", 2)]))
    task.process(max_rows=9, up_to_ms=None, wall_ms=0)
    assert [batch.values for batch in outbox.drain()] == [[b"oslo"]]


def test_mixed_with_streams() -> None:
    app = every()
    app.stream("in", value=str, name="lines").filter(bool, name="full")
    app.add_processor("shout", shouted, "full")
    app.add_sink("out", lambda value: f"to-{value}", "shout", value=str)
    run = Driven(app)
    run.pipe("in a x 1")
    assert run.out("to-X") == ["a=X@1"]


def test_as_kafka_describes_it() -> None:
    app = every()
    app.add_source("lines", "in", value=str)
    app.add_processor("count", Counting, "lines", stores=[COUNTS])
    app.add_sink("result", "out", "count", value=int)
    assert describe(app.topology()).splitlines() == [
        "Topologies:",
        "   Sub-topology: 0",
        "    Source: lines (topics: [in])",
        "      --> count",
        "    Processor: count (stores: [counts])",
        "      --> result",
        "      <-- lines",
        "    Sink: result (topic: out)",
        "      <-- count",
    ]


def test_times_of_a_source() -> None:  # T2
    app = every()
    app.add_source("lines", "in", value=int, time=lambda value: value * 10)
    app.add_sink("out", "out", "lines", value=int)
    run = Driven(app)
    run.driver.pipe("in", 7, key="a", timestamp=1)
    assert run.out() == ["a=7@70"]


def prepared() -> ms.App:
    app = every()
    app.add_source("lines", "in", value=str)
    app.add_sink("out", "out", "lines", value=str)
    app.table("t", value=str).filter(bool, name="rows")
    app.stream("s", value=str).split(name="parts").no_default()
    return app


WRONG: dict[str, tuple[Callable[[ms.App], object], str]] = {
    "an unknown parent": (lambda app: app.add_sink("x", "x", "nobody"), "add_sink .*there is no node named 'nobody'"),
    "no parent": (lambda app: app.add_processor("x", shouted, []), "add_processor .*name the nodes"),
    "behind a sink": (lambda app: app.add_processor("x", shouted, "out"), "'out' is a sink, and nothing stands"),
    "behind a table": (lambda app: app.add_sink("x", "x", "rows"), r"'rows' is a table; take its updates with to_str"),
    "behind a split": (lambda app: app.add_sink("x", "x", "parts"), "'parts' is a split; stand behind one of its"),
    "a name twice": (lambda app: app.add_source("lines", "other"), "add_source .*the name 'lines' is already used"),
    "no name": (lambda app: app.add_source("", "other"), "add_source .*give the node a name"),
    "no topic": (lambda app: app.add_source("x"), "add_source .*give one or more names of topics"),
    "no processor": (lambda app: app.add_processor("x", int, "lines"), r"add_processor .*int has no process\(record\)"),
    "stores of a source": (lambda app: app.add_store(COUNTS, "lines"), "add_store .*no processor named 'lines'"),
    "a window store read-only": (
        lambda app: app.add_read_only_store(
            ms.window_store("w", 10, retention=10), "w", Counting, source="w", processor="v"
        ),
        "add_read_only_store .*expected what ms.key_value_store declares",
    ),
    "no store": (lambda app: app.add_store("counts"), "add_store .*expected what ms.key_value_store"),  # type: ignore[arg-type]
    "an unknown store": (lambda app: app.connect("lines", "none"), "connect .*there is no store named 'none'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused_where_it_is_written(name: str) -> None:
    write, message = WRONG[name]
    with pytest.raises(TopologyError, match=message):
        write(prepared())
