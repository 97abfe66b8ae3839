"""Processors that keep the key: process_values (O3, N6, P2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import millstream as ms
from millstream.errors import MillstreamError
from tests.driving import Driven, every


def numbered(record: ms.Message) -> Iterator[ms.Message]:
    yield record
    yield record.with_value(f"{record.value}!").with_timestamp(record.timestamp + 1).with_headers((("h", b"1"),))


def test_any_number_of_values() -> None:  # O3
    app = every()
    app.stream("in", value=str).process_values(numbered, value=str).to("out")
    run = Driven(app)
    run.pipe("in a x 1")
    first, second = run.driver.read("out")
    assert (first.key, first.value, first.timestamp, first.headers) == ("a", "x", 1, ())
    assert (second.key, second.value, second.timestamp, second.headers) == ("a", "x!", 2, (("h", b"1"),))


def test_nothing_is_repartitioned_behind_it() -> None:  # O3, O4
    app = every()
    stream = app.stream("in", value=str)
    stream.process_values(numbered, value=str).group_by_key().count(store="n")
    stream.process(numbered, value=str).group_by_key().count(store="m")
    assert list(app.topology().repartition_topics) == ["m-repartition"]
    assert "KSTREAM-PROCESSVALUES-0000000001" in [node.name for node in app.topology().nodes]


def test_a_key_that_was_changed_before_stays_changed() -> None:  # O3
    app = every()
    stream = app.stream("in", value=str).select_key(lambda v: v)
    stream.process_values(numbered, value=str, name="twice").group_by_key().count(store="n")
    assert list(app.topology().repartition_topics) == ["n-repartition"]


class Changes:
    def __init__(self, how: str) -> None:
        self.how = how

    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context

    def process(self, record: ms.Message) -> None:
        if self.how == "with_key":
            record.with_key("b")
        self.context.forward(ms.Message("b", record.value, record.timestamp))


@pytest.mark.parametrize(("how", "message"), [("with_key", "keeps the key"), ("new", "must keep the key")])
def test_another_key_is_refused(how: str, message: str) -> None:  # O3
    app = every()
    app.stream("in", value=str).process_values(lambda: Changes(how), value=str).to("out")
    with pytest.raises(MillstreamError, match=message):
        Driven(app).pipe("in a x 1")


def test_records_may_be_held_and_forwarded_later() -> None:  # P3
    class Holding:
        def init(self, context: ms.ProcessorContext) -> None:
            self.held: list[ms.Message] = []
            self.context = context
            context.schedule(10, "stream-time", self.release)

        def process(self, record: ms.Message) -> None:
            self.held.append(record)

        def release(self, _now: int) -> None:
            for record in self.held:
                self.context.forward(record)
            self.held.clear()

    app = every()
    app.stream("in", value=str).process_values(Holding, value=str).to("out")
    assert Driven(app).says("in a x 1", "in b y 2", "in c z 11") == ["a=x@1", "b=y@2", "c=z@11"]
