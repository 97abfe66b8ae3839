"""Tables through transformers: new and old values, stores, look-ups (P7, K2-K5)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import MillstreamError, ProcessingError, TopologyError
from tests.driving import Driven, every


class Shown:
    """The value with the number of calls, and null as `none`."""

    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.calls = context, 0

    def transform(self, key: str, value: str | None) -> str | None:
        self.calls += 1
        return "none" if value is None else None if value == "gone" else f"{value}{self.calls}"


class Counting:
    stores = [ms.key_value_store("changes", value=int)]

    def init(self, context: ms.ProcessorContext) -> None:
        self.changes = context.get_state_store("changes")

    def transform(self, key: str, value: str | None) -> str:
        self.changes.put(key, (self.changes.get(key) or 0) + 1)
        return f"{value}-{self.changes.get(key)}"


def driven(supplier: Any, settings: EngineSettings | None = None, **how: Any) -> Driven:
    app = every()
    app.table("t", value=str).transform_values(supplier, value=str, **how).to_stream().to("out")
    return Driven(app, settings)


@pytest.mark.parametrize("how", [{}, {"store": "shown"}])
def test_null_values_are_transformed_too(how: dict[str, str]) -> None:  # K5
    run = driven(Shown, **how)
    assert run.says("t a x 1", "t a - 2", "t a gone 3", "t a y 4") == ["a=x1@1", "a=none@2", "a=null@3", "a=y4@4"]


def test_a_transformer_has_stores() -> None:  # P7
    run = driven(Counting)
    assert run.says("t a x 1", "t b x 2", "t a y 3") == ["a=x-1@1", "b=x-1@2", "a=y-2@3"]
    assert [batch.target.topic for batch in run.driver.changelog] == ["app-changes-changelog"] * 3


def test_old_values_are_transformed_where_there_is_no_store() -> None:  # K3
    def summed(**how: Any) -> list[str]:
        app = every()
        made = app.table("t", value=str).transform_values(lambda: Twice(), value=int, **how)
        total = made.group_by(lambda _k, v: ("all", v), value=int).reduce(lambda a, v: a + v, lambda a, v: a - v)
        total.to_stream().to("out")
        return Driven(app).says("t a 1 1", "t b 2 2", "t a 5 3", "t b - 4")

    class Twice:
        def transform(self, key: str, value: str | None) -> int | None:
            return None if value is None else 2 * int(value)

    assert summed() == summed(store="twice") == ["all=2@1", "all=6@2", "all=14@3", "all=10@4"]


def test_rows_are_looked_up_through_a_transformer_of_their_own() -> None:  # K2
    class Where:
        made: list[Any] = []

        def init(self, context: ms.ProcessorContext) -> None:
            self.context = context
            self.made.append(self)

        def transform(self, key: str, value: str | None) -> str | None:
            at = self.context.record_metadata
            return value and f"{value}:{at.topic}"

        def close(self) -> None:
            self.made.remove(self)

    app = every()
    table = app.table("t", value=str).transform_values(Where, value=str)
    table.to_stream().to("updates")
    app.stream("in", value=str).join(table, lambda v, row: f"{v}+{row}", result=str).to("out")
    run = Driven(app)
    assert run.says("t a x 1", "in a v 5") == ["a=v+x:None@5"], "a row that is looked up comes from nowhere"
    assert run.out("updates") == ["a=x:t@1"]
    assert len(Where.made) == 2
    run.driver.close()
    assert Where.made == []


@pytest.mark.parametrize(("how", "joined"), [({}, ["a=v+y1@5", "z=v+none@6"]), ({"store": "shown"}, ["a=v+y4@5"])])
def test_as_kafka_streams_looks_rows_up(how: dict[str, str], joined: list[str]) -> None:  # K2, checked with 4.3.1
    """Without a store an absent row is transformed too, by a transformer that has seen no update."""
    app = every()
    table = app.table("t", value=str).transform_values(Shown, value=str, **how)
    app.stream("in", value=str).join(table, lambda v, row: f"{v}+{row}", result=str).to("out")
    run = Driven(app)
    run.pipe("t a x 1", "t a - 2", "t a gone 3", "t a y 4")
    assert run.says("in a v 5", "in z v 6") == joined


def test_a_stored_result_is_looked_up_in_its_store() -> None:  # K2
    app = every()
    table = app.table("t", value=str).transform_values(Counting, value=str, store="kept")
    app.stream("in", value=str).join(table, lambda v, row: f"{v}+{row}", result=str).to("out")
    run = Driven(app)
    assert run.says("t a x 1", "in a v 5", "in a w 6") == ["a=v+x-1@5", "a=w+x-1@6"]
    assert run.driver.store("kept").get("a") == "x-1"


def test_names_and_stores() -> None:  # N6
    app = every()
    app.table("t", value=str).transform_values(Counting, value=str, store="kept").to_stream().to("out")
    node = app.topology().nodes[2]
    assert (node.name, node.store_names) == ("KTABLE-TRANSFORMVALUES-0000000003", ("kept", "changes"))


def test_failures() -> None:  # X15
    class Failing:
        def transform(self, key: str, value: str) -> str:
            if value == "bad":
                raise ValueError("no")
            return value

    run = driven(Failing, EngineSettings(on_error="skip"))
    assert run.says("t a x 1", "t a bad 2", "t a y 3") == ["a=x@1", "a=y@3"]
    with pytest.raises(ProcessingError, match=r"transform_values at .* failed: ValueError: no"):
        driven(Failing).pipe("t a bad 2")


def test_what_is_refused() -> None:
    class Forwarding(Shown):
        def transform(self, key: str, value: str | None) -> str | None:
            self.context.forward(ms.Message(key, value, 1))
            return value

    with pytest.raises(MillstreamError, match=r"transform_values at .*transform returns the new value"):
        driven(Forwarding).pipe("t a x 1")

    def generating(record: ms.Message) -> Any:
        yield record

    table = every().table("t", value=str)
    for wrong in (generating, int):
        with pytest.raises(TopologyError, match=r"transform_values at .*transform\(key, value\)"):
            table.transform_values(wrong)  # type: ignore[arg-type]
    with pytest.raises(TopologyError, match=r"dict has no transform\(key, value\) method"):
        driven(lambda: {})
