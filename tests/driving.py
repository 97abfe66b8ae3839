"""Programs driven as the rule book writes them: `"in a x 10"` goes in, `"a=x@10"` comes out."""

from __future__ import annotations

from typing import Any

import millstream as ms
from millstream.engine import EngineSettings
from millstream.serde import Windowed
from millstream.testing import OutputRecord, TestDriver


class Driven:
    """A program in a test driver, every update emitted; values and keys are strings, `-` is null."""

    def __init__(self, app: ms.App, settings: EngineSettings | None = None, *, wall_ms: int = 0, **how: Any) -> None:
        self.driver = TestDriver(app, settings=settings, wall_ms=wall_ms, **how)

    def pipe(self, *records: str) -> None:
        for record in records:
            topic, key, value, timestamp = record.split()
            self.driver.pipe(topic, _null(value), key=_null(key), timestamp=int(timestamp))

    def out(self, topic: str = "out", **serdes: Any) -> list[str]:
        return [shown(record) for record in self.driver.read(topic, **serdes)]

    def says(self, *records: str, topic: str = "out", **serdes: Any) -> list[str]:
        """What these records put out."""
        self.pipe(*records)
        return self.out(topic, **serdes)


def every() -> ms.App:
    return ms.App("app", emit="every")


def latest() -> ms.App:
    return ms.App("app", emit="latest")


def shown(record: OutputRecord) -> str:
    key = record.key
    if isinstance(key, Windowed):
        key = f"{key.key}[{key.window.start},{key.window.end}]"
    value = "null" if record.value is None else record.value
    return f"{'null' if key is None else key}={value}@{record.timestamp}"


def _null(text: str) -> str | None:
    return None if text == "-" else text
