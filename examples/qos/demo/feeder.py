"""The process that feeds the match, so that it doesn't slow down who works on it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

from .. import replay, simulator
from ..feed import Counts, Feed, Pace, reports_producer
from ..source import Event
from . import child

TELL_EVERY_S = 0.1


def main() -> None:
    """Get the match ready and say so; when the parent says when and where, send it."""
    events, told = match(**child.argument())
    child.tell(ready=True, **told)
    when = child.hear()
    if when is None:
        return
    start_ms, speed = when["start_ms"], when["speed"]
    reporter = Reporter(each_round=speed is None)
    feed = Feed(reports_producer(when["bootstrap"]), Pace(start_ms, speed, when["partitions"]), reporter.tell)
    child.stop_with_parent(feed.stop)
    if feed.stop.wait(max(0.0, when["begin_ms"] / 1000 - time.time())):
        return
    counts = feed.run(events)
    child.tell(**line(counts), complete=counts.complete, done=True)


def match(
    reports: str | None, viewers: int, seconds: float | None, seed: int
) -> tuple[Iterable[Event], dict[str, int | None]]:
    """The events, and how many there are and how long they last, where that is known."""
    if reports is None:
        length_ms = None if seconds is None else int(seconds * 1000)
        played = simulator.Match(seed=seed, viewers=viewers, seconds=seconds)
        return simulator.events(played), {"reports": None, "length_ms": length_ms}
    events = replay.events(Path(reports))
    if seconds is not None:
        events = list(takewhile(lambda event: event.offset_ms < seconds * 1000, events))
    return events, {"reports": len(events), "length_ms": events[-1].offset_ms if events else 0}


class Reporter:
    """Tells the parent how far the feed is: each round where every mark counts, else now and then."""

    def __init__(self, *, each_round: bool) -> None:
        self._pause_s = 0.0 if each_round else TELL_EVERY_S
        self._next = 0.0

    def tell(self, counts: Counts) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._pause_s
            child.tell(**line(counts))


def line(counts: Counts) -> dict[str, Any]:
    return {"reports": counts.reports, "at_ms": counts.at_ms, "wall_ms": time.time() * 1000}


if __name__ == "__main__":
    child.run(main)
