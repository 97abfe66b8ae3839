"""Random records for a case's sources: times that go on, go back and jump; nulls, headers, broken bytes."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.oracle.choices import KEYS

Step = dict[str, Any]
SOURCES = ("stream", "table", "global_table")


def inputs_for(random: Random, steps: list[Step], *, wild: bool) -> list[Step]:
    written = {step["topic"] for step in steps if step["op"] == "to" and "topic" in step}
    sources = [
        (step | {"topic": topic})
        for step in steps
        if step["op"] in SOURCES
        for topic in step.get("topics", [step["topic"]])
        if topic not in written
    ]
    if not sources:
        return []
    return _Clock(random, sources, wild=wild).records(random.choice((8, 20, 40, 80)))


class _Clock:
    """Event time as this case has it."""

    def __init__(self, random: Random, sources: list[Step], *, wild: bool) -> None:
        self.random = random
        self.sources = sources
        self.broken = 0.03 if wild or random.random() < 0.08 else 0.0
        self.pace = random.choice((0, 1, 3, 8, 20))
        self.disorder = random.choice((0.0, 0.1, 0.4))
        self.back = random.choice((3, 15, 60))
        self.jumps = random.choice((0.0, 0.02, 0.1))
        self.headers = random.choice((0.0, 0.3))
        self.walls = random.choice((0.0, 0.1)) if random.random() < 0.5 else 0.0
        self.now = random.choice((0, 0, 100, 1000))

    def records(self, size: int) -> list[Step]:
        made: list[Step] = []
        for _ in range(size):
            if self.random.random() < self.walls:
                made.append({"advance_wall_clock_ms": self.random.choice((1, 50, 300, 1000))})
            made.append(self.record(self.random.choice(self.sources)))
        return made

    def record(self, source: Step) -> Step:
        self.now += self.random.randint(0, self.pace)
        if self.random.random() < self.jumps:
            self.now += self.random.choice((40, 200, 1000))
        late = self.random.random() < self.disorder
        timestamp = max(0, self.now - self.random.randint(1, self.back)) if late else self.now
        key, value = source["type"]
        record: Step = {
            "topic": source["topic"],
            "key": None if self.random.random() < 0.06 else self.random.choice(KEYS[key]),
            "value": self.value(value, source, timestamp),
            "timestamp": timestamp,
        }
        if self.random.random() < self.headers:
            record["headers"] = [[self.random.choice("hij"), self.random.choice(("1", "two"))]]
        if source["op"] != "global_table" and self.random.random() < self.broken:
            del record["value"]
            record["value_hex"] = self.random.choice(("", "00", "ff00", "c3a9", "010203"))
        return record

    def value(self, kind: str, source: Step, timestamp: int) -> Any:
        extractor = source.get("extractor")
        if self.random.random() < (0.2 if "table" in source["op"] else 0.1):
            return None
        if extractor is not None and self.random.random() < 0.8:
            event = timestamp + self.random.choice((0, 0, 5, -20, -2000))
            return event if kind == "long" else f"{self.random.choice('abx')}{self.random.randint(1, 3)}@{event}"
        if kind == "long":
            return self.random.randint(-3, 12)
        words = [
            f"{self.random.choice('abcxy')}{self.random.randint(1, 3)}" for _ in range(self.random.choice((1, 1, 1, 2)))
        ]
        return " ".join(words)
