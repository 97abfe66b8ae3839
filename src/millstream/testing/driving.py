"""A program in one call: records in, what comes out as pairs."""

from __future__ import annotations

from typing import Any

from millstream.dsl.program import Program
from millstream.plan.topology import Topology
from millstream.testing.driver import TestDriver


def drive(program: Program | Topology, *records: tuple[Any, ...], **how: Any) -> dict[str, list[tuple[Any, Any]]]:
    """What a program makes of records: for each topic that it wrote, the (key, value) pairs in their order.

    A record is (topic, key, value) or (topic, key, value, timestamp), in ms; 0 where it isn't given. Each is processed
    to its end before the next one, by a new `TestDriver`; `how` is what that takes besides the program. Use the driver
    itself for headers, timestamps of results, stores, and the wall clock.

    >>> import millstream as ms
    >>> app = ms.App("words")
    >>> app.stream("lines", value=str).filter(lambda line: "fox" in line).to("foxes")
    >>> drive(app, ("lines", "a", "the quick fox"), ("lines", "b", "a lazy dog"), ("lines", "c", "a fox", 1_000))
    {'foxes': [('a', 'the quick fox'), ('c', 'a fox')]}
    """
    with TestDriver(program, **how) as driver:
        for topic, key, value, *timestamp in records:
            driver.pipe(topic, value, key=key, timestamp=timestamp[0] if timestamp else 0)
        return {
            topic: [(record.key, record.value) for record in written] for topic, written in driver.outputs().items()
        }
