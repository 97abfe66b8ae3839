"""Global stores that a processor of the user's keeps (K19, P7)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings, GlobalTables
from millstream.errors import DeserializationError, MillstreamError, ProcessingError, StateError, TopologyError
from millstream.model import TopicPartition
from millstream.serde import serde_from
from tests.driving import Driven, every
from tests.engine.tasks import Row, batch_of


class ByCity:
    """Stations by their city: what is kept is not what the topic has."""

    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.cities = context, context.get_state_store("cities")

    def process(self, record: ms.Message) -> None:
        at = self.context.record_metadata
        if record.value is None:
            for city, station in list(self.cities.all()):
                if station.startswith(record.key):
                    self.cities.delete(city)
        else:
            self.cities.put(record.value, f"{record.key}@{at.offset}")


class Looking:
    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.cities = context, context.get_state_store("cities")

    def process(self, record: ms.Message) -> None:
        self.context.forward(record.with_value(self.cities.get(record.value)))


def looking(supplier: Any = ByCity, value: Any = str, **settings: Any) -> Driven:
    app = every()
    app.add_global_store(ms.key_value_store("cities", value=str), "stations", supplier, value=value)
    app.stream("in", value=str).process(Looking, value=str).to("out")
    return Driven(app, EngineSettings(**settings))


def test_a_processor_keeps_the_store_and_others_read_it() -> None:  # K19, P7
    run = looking()
    run.pipe("stations s1 rome 5", "stations s2 oslo 6")
    assert run.says("in a rome 1", "in a oslo 2", "in a bonn 3") == ["a=s1@0@1", "a=s2@1@2", "a=null@3"]
    run.pipe("stations s1 - 7")
    assert run.says("in a rome 8") == ["a=null@8"]
    assert list(run.driver.store("cities").all()) == [("oslo", "s2@1")]
    assert run.driver.store("cities").timestamp("oslo") == 6


def test_records_go_through_the_processor_whenever_a_worker_starts() -> None:  # K19
    app = every()
    app.add_global_store(ms.key_value_store("cities", value=str), "stations", ByCity, value=str)
    app.stream("in", value=str).to("out")
    tables = GlobalTables(app.topology())
    rows = [Row(b"s1", b"rome", 5), Row(b"s1", b"oslo", 6), Row(b"s1", None, 7), Row(b"s2", b"rome", 8)]
    tables.apply(batch_of(TopicPartition("stations", 0), rows))
    store: Any = tables.stores["cities"]
    assert [store.get(city) and store.get(city)[0] for city in ("rome", "oslo")] == ["s2@3", None]


def test_other_kinds_of_stores() -> None:  # K19, P9
    class Hourly:
        def init(self, context: ms.ProcessorContext) -> None:
            self.kept = context.get_state_store("hourly")

        def process(self, record: ms.Message) -> None:
            start = record.timestamp // 10 * 10
            self.kept.put(record.key, (self.kept.fetch(record.key, start) or 0) + 1, start)

    class Reading:
        def init(self, context: ms.ProcessorContext) -> None:
            self.context, self.kept = context, context.get_state_store("hourly")

        def process(self, record: ms.Message) -> None:
            self.context.forward(record.with_value(str(list(self.kept.fetch(record.key, 0, 99)))))
            with pytest.raises(StateError, match="read-only"):
                self.kept.put(record.key, 1, 0)

    app = every()
    app.add_global_store(ms.window_store("hourly", 10, retention=100, value=int), "events", Hourly, value=str)
    app.stream("in", value=str).process(Reading, value=str).to("out")
    assert Driven(app).says("events a x 1", "events a y 12", "events a z 15", "in a look 20") == [
        "a=[(0, 1), (10, 2)]@20"
    ]


def test_what_it_raises_stops_whatever_the_handler_says() -> None:  # X15
    class Failing:
        def process(self, record: ms.Message) -> None:
            raise ValueError("no")

    run = looking(Failing, on_error="skip")
    message = r"global store 'cities', stations-0 offset 0: add_global_store at .* failed: ValueError: no"
    with pytest.raises(ProcessingError, match=message):
        run.pipe("stations s1 rome 5")


def test_what_cannot_be_read_is_treated_as_the_settings_say() -> None:  # X14
    strict = serde_from(str.encode, bytes.decode, of=str)
    run = looking(value=strict, on_decode_error="skip", dead_letters="dlq")
    run.driver.pipe_bytes("stations", b"\xff", key=b"s1", timestamp=1)
    run.pipe("stations s2 rome 5")
    assert run.says("in a rome 8") == ["a=s2@1@8"]
    assert [row[1] for row in run.driver.read_bytes("dlq")] == [b"\xff"]
    with pytest.raises(DeserializationError, match="stations-0 offset 0"):
        looking(value=strict).driver.pipe_bytes("stations", b"\xff", key=b"s1", timestamp=1)


@pytest.mark.parametrize("what", ["forward", "schedule", "commit"])
def test_what_the_processor_of_a_global_store_cannot_do(what: str) -> None:
    class Doing(ByCity):
        def process(self, record: ms.Message) -> None:
            match what:
                case "forward":
                    self.context.forward(record)
                case "schedule":
                    self.context.schedule("1s", "wall-clock", print)
                case _:
                    self.context.commit()

    with pytest.raises(MillstreamError, match=r"add_global_store at .*the processor of a global store cannot"):
        looking(Doing).pipe("stations s1 rome 5")


def test_it_sees_no_other_store_and_is_closed() -> None:
    closed: list[int] = []

    class Closing(ByCity):
        def close(self) -> None:
            closed.append(1)

    run = looking(Closing)
    run.driver.close()
    assert closed == [1]

    class Curious:
        def init(self, context: ms.ProcessorContext) -> None:
            context.get_state_store("others")

        def process(self, record: ms.Message) -> None: ...

    with pytest.raises(TopologyError, match="this processor sees the store 'cities' alone"):
        looking(Curious)


def test_names_are_those_of_a_global_table() -> None:  # N5
    app = every()
    app.add_global_store(ms.key_value_store("cities"), "stations", ByCity)
    app.stream("in", value=str).to("out")
    (table,) = app.topology().global_tables
    assert (table.source, table.name) == ("KSTREAM-SOURCE-0000000000", "KTABLE-SOURCE-0000000001")
    with pytest.raises(TopologyError, match="there is already a store named 'cities'"):
        app.add_global_store(ms.key_value_store("cities"), "others", ByCity)
