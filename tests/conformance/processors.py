"""The processors that cases name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import millstream as ms
from tests.conformance.functions import Spec, text


class Stateful:
    """Keeps the context and, where one is named, the store."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context
        if "store" in self.spec:
            self.store = context.get_state_store(self.spec["store"])
        self.started()

    def started(self) -> None:
        pass


class Dedup(Stateful):
    def process(self, record: ms.Message) -> None:
        if record.key is not None and self.store.get(record.key) != record.value:
            self.store.put(record.key, record.value)
            self.context.forward(record)


class RunningCount(Stateful):
    def process(self, record: ms.Message) -> None:
        if record.key is not None:
            count = (self.store.get(record.key) or 0) + 1
            self.store.put(record.key, count)
            self.context.forward(record.with_value(count))


class Counter(Stateful):
    kind: Any = "stream-time"
    once = False

    def started(self) -> None:
        self.count = 0
        self.schedule = self.context.schedule(self.spec["every_ms"], self.kind, self.tell)

    def process(self, record: ms.Message) -> None:
        self.count += 1

    def tell(self, now: int) -> None:
        self.context.forward(ms.Message("count", self.count, now))
        if self.once:
            self.schedule.cancel()


class CounterOnce(Counter):
    once = True


class WallCounter(Counter):
    kind = "wall-clock"


class Hold(Stateful):
    def started(self) -> None:
        self.context.schedule(self.spec["every_ms"], "stream-time", self.release)

    def process(self, record: ms.Message) -> None:
        if record.key is not None:
            self.store.put(record.key, record.value)

    def release(self, now: int) -> None:
        for key, value in list(self.store.all()):
            self.context.forward(ms.Message(key, value, now))
            self.store.delete(key)


class Twice(Stateful):
    def process(self, record: ms.Message) -> None:
        self.context.forward(record)
        self.context.forward(record.with_timestamp(record.timestamp + 1))


class Route(Stateful):
    def started(self) -> None:
        self.count = 0

    def process(self, record: ms.Message) -> None:
        self.count += 1
        children = self.spec["children"]
        to = self.count % (len(children) + 1)
        self.context.forward(record, children[to - 1] if to else None)


class Meta(Stateful):
    def process(self, record: ms.Message) -> None:
        at = self.context.record_metadata
        self.context.forward(record.with_value(f"{text(at.topic)}/{at.partition}/{at.offset}"))


class StreamTime(Stateful):
    def process(self, record: ms.Message) -> None:
        self.context.forward(record.with_value(self.context.current_stream_time_ms()))


class Lookup(Stateful):
    def process(self, record: ms.Message) -> None:
        found = None if record.key is None else self.store.get(record.key)
        self.context.forward(record.with_value(f"{text(record.value)}~{text(found)}"))


PROCESSORS: dict[str, type[Any]] = {
    "dedup": Dedup,
    "running_count": RunningCount,
    "stream_counter": Counter,
    "stream_counter_once": CounterOnce,
    "wall_counter": WallCounter,
    "hold": Hold,
    "twice": Twice,
    "route": Route,
    "meta": Meta,
    "stream_time": StreamTime,
    "lookup": Lookup,
}
OWN_STORES = ("dedup", "running_count", "hold")


def supplier(spec: Spec) -> Callable[[], Any]:
    return lambda: PROCESSORS[spec["name"]](spec)
