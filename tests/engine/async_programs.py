"""Asynchronous programs: their only task, in rounds, and a mapper that fails now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import millstream as ms
from millstream.engine import EngineSettings
from tests.driving import every
from tests.engine.tasks import Plan, Row, batch_of

STRINGS = {"in": 1, "out": 1, "other": 1, "dlq": 1}


def only_task(app: ms.App, **how: Any) -> Any:
    """The program's task, and what `round(rows)` of it writes to `out`."""
    plan = Plan(app, STRINGS, settings=EngineSettings(**how))
    task, outbox = plan.only_task()
    (source,) = plan.resolved.tasks[0].inputs
    read = 0

    def round_of(*records: str) -> list[str]:
        nonlocal read
        rows = [Row(b"k", record.encode(), number) for number, record in enumerate(records, start=read)]
        task.add(batch_of(source, rows, read))
        read += len(rows)
        task.process(max_rows=1000, up_to_ms=None, wall_ms=0)
        task.end_round()
        return [value.decode() for batch in outbox.drain() if batch.target.topic == "out" for value in batch.values]

    return task, round_of


def mapped(fn: Callable[..., Any], **how: Any) -> ms.App:
    app = every()
    app.stream("in", value=str).map_values_async(fn, value=str, **how).to("out")
    return app


async def failing(value: str) -> str:
    await asyncio.sleep(0)
    if value.startswith("bad"):
        raise ValueError("no such thing")
    return value
