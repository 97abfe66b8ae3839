"""Spans are made when what they tell of is done, with the time at which it began."""

from __future__ import annotations

from tests.runtime.fakes import ManualClock

from millstream.runtime.spans import Spans


class FakeTracer:
    def __init__(self) -> None:
        self.told: list[tuple[str, int, int, dict[str, int]]] = []

    def start_span(self, name, start_time, attributes):
        return FakeSpan(self, (name, start_time, attributes))


class FakeSpan:
    def __init__(self, tracer: FakeTracer, begun) -> None:
        self._tracer, self._begun = tracer, begun

    def end(self, end_time):
        name, start_time, attributes = self._begun
        self._tracer.told.append((name, start_time, end_time, attributes))


def test_a_span_goes_from_its_beginning_to_its_end():
    clock, tracer = ManualClock(), FakeTracer()
    spans = Spans(clock, tracer)
    clock.now_ms = 5.0
    began = spans.begin()
    clock.now_ms = 7.0
    spans.end("millstream.round", began, records=3)
    assert tracer.told == [("millstream.round", 5_000_000, 7_000_000, {"records": 3})]


def test_a_commit_is_one_span_over_its_steps():
    clock, tracer = ManualClock(), FakeTracer()

    def commit():
        for _ in range(2):
            clock.now_ms += 1
            yield

    steps = list(Spans(clock, tracer).around("millstream.commit", commit(), tasks=2))
    assert len(steps) == 2
    assert tracer.told == [("millstream.commit", 0, 2_000_000, {"tasks": 2})]
