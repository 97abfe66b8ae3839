"""Spans for OpenTelemetry, where `opentelemetry-api` is installed: one for each round that had records, and commit."""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec
from typing import Any

from millstream.runtime.clock import Clock

TRACER = "millstream"


class Spans:
    """Tells of what is done when it is done. Whoever sets up OpenTelemetry decides where that goes.

    Spans are made afterwards, with the time at which each began, so that nothing is asked of the library in between;
    without it nothing happens at all. `tracer` replaces the library's own.
    """

    def __init__(self, clock: Clock, tracer: Any = None) -> None:
        self._clock = clock
        self._tracer = tracer if tracer is not None else _tracer()

    def begin(self) -> tuple[int, float]:
        """A moment: on the wall clock, in ns, and on the one that never goes back, in ms."""
        return (0, 0.0) if self._tracer is None else (self._clock.wall_ms() * 1_000_000, self._clock.monotonic_ms())

    def end(self, name: str, began: tuple[int, float], **attributes: int) -> None:
        """A span from then until now."""
        if self._tracer is None:
            return
        span = self._tracer.start_span(name, start_time=began[0], attributes=attributes)
        span.end(end_time=began[0] + round((self._clock.monotonic_ms() - began[1]) * 1_000_000))

    def around(
        self, name: str, procedure: Generator[None, None, None], **attributes: int
    ) -> Generator[None, None, None]:
        """A procedure with a span over all its steps."""
        began = self.begin()
        yield from procedure
        self.end(name, began, **attributes)


def _tracer() -> Any:
    if find_spec("opentelemetry") is None:
        return None
    from opentelemetry import trace

    return trace.get_tracer(TRACER)
