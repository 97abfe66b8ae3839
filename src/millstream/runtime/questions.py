"""Questions to a worker's stores from other threads, answered by its loop between two rounds.

So a question sees a store as it is between two rounds, and no store has a lock.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from millstream.engine import GlobalTables
from millstream.engine.queries import OF_ONE_KEY, READERS, Page, Query, as_key, read
from millstream.errors import QueryError
from millstream.model import TopicPartition
from millstream.plan.internal import TaskId, changelog_topic
from millstream.plan.nodes import StoreSpec
from millstream.plan.topology import Topology
from millstream.runtime.held import HeldTask
from millstream.runtime.tally import Tally
from millstream.runtime.task_table import TaskTable
from millstream.serde import bound
from millstream.serde.murmur2 import partition_for
from millstream.state import Access

AT_ONCE = 100
LATELY_S = 1.0

_GENERATED = re.compile(r"-\d{10}(-|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """Rows, and of what moment they are: the highest offset of each input that they reflect (rule Q5).

    `lag` counts records that are written and not in the store; None while it is not known. A global table has neither
    task nor position.
    """

    page: Page
    task: str | None = None
    position: Mapping[TopicPartition, int] | None = None
    lag: int | None = None


class Answering(Protocol):
    """What a loop has that answers."""

    asked: bool

    @property
    def tasks(self) -> Iterable[HeldTask]: ...
    @property
    def table(self) -> TaskTable: ...
    @property
    def global_tables(self) -> GlobalTables: ...
    @property
    def tally(self) -> Tally: ...


class Questions:
    """Asked from any thread; served by the loop."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._waiting: SimpleQueue[tuple[Query, Future[Reply]]] = SimpleQueue()
        self._asked_s = float("-inf")
        self._closed = False

    def ask(self, query: Query, timeout_s: float) -> Reply:
        """Wait for the answer; QueryError with the reason why there is none (rules Q4, Q5)."""
        future: Future[Reply] = Future()
        self._waiting.put((query, future))
        if self._closed:
            self.close()
        try:
            return future.result(timeout_s)
        except FutureTimeoutError as late:
            raise QueryError(f"the worker has not answered within {timeout_s:g} s", "not_started") from late

    def serve(self, loop: Answering) -> None:
        """Answer what was asked since the last turn."""
        if self._waiting.empty():
            if loop.asked:
                loop.asked = time.monotonic() - self._asked_s < LATELY_S
            return
        self._asked_s, loop.asked = time.monotonic(), True
        for _ in range(AT_ONCE):
            try:
                query, future = self._waiting.get_nowait()
            except Empty:
                return
            try:
                future.set_result(self._answer(query, loop))
            except QueryError as refused:
                future.set_exception(refused)
            except Exception as error:  # the loop's edge: whoever asks must not end the worker
                future.set_exception(QueryError(f"store {query.store!r}: {type(error).__name__}: {error}", "failed"))

    def close(self) -> None:
        """Nobody is left to answer."""
        self._closed = True
        while True:
            try:
                _, future = self._waiting.get_nowait()
            except Empty:
                return
            future.set_exception(QueryError("the worker has stopped; ask again", "migrated"))

    def stores(self) -> dict[str, tuple[StoreSpec, int | None]]:
        """The stores that can be asked by name, with their sub-topologies; None of global tables (rule Q1)."""
        found: dict[str, tuple[StoreSpec, int | None]] = {
            store.name: (store, sub.index) for sub in self._topology.subtopologies for store in sub.stores
        }
        found |= {table.store.name: (table.store, None) for table in self._topology.global_tables}
        return {name: each for name, each in found.items() if each[0].kind in READERS and not _GENERATED.search(name)}

    def _answer(self, query: Query, loop: Answering) -> Reply:
        known = self.stores()
        if query.store not in known:
            names = ", ".join(known) or 'none: name it with store="..."'
            raise QueryError(f"there is no store {query.store!r}; there are: {names}", "unknown_store")
        spec, sub = known[query.store]
        if sub is None:
            return Reply(read(spec, loop.global_tables.stores[query.store], Access(), query))
        wanted = self._task(query, spec, sub, loop.table)
        held = next((each for each in loop.tasks if str(each.spec.id) == wanted), None)
        if held is None:
            raise QueryError(f"task {wanted} is not on this worker", "migrated", wanted)
        if not held.running:
            raise QueryError(f"task {wanted} is {held.state.value}; ask again when it runs", "not_started")
        position = _position(held)
        _check(query, held, position)
        return Reply(held.task.read(query), wanted, position, loop.tally.lag(held))

    def _task(self, query: Query, spec: StoreSpec, sub: int, table: TaskTable) -> str:
        """The task that a question goes to: that of its key (rule Q2), else the one that it names."""
        if query.kind not in OF_ONE_KEY:
            if query.task is None:
                raise QueryError(f"{query.kind!r} is asked of one task at a time; name it", "unknown_query")
            return query.task
        count = sum(each.id.subtopology == sub for each in table.tasks.values())
        topic = spec.source_topic or changelog_topic(table.topic.removesuffix("-tasks"), spec.name)
        serde = bound(spec.key, topic, is_key=True)
        return str(TaskId(sub, partition_for(serde.encode(as_key(serde, query.key, query.store)), count)))


def _position(held: HeldTask) -> dict[TopicPartition, int]:
    offsets = {source: at.offset for source, at in held.committed.items()}
    offsets |= {source: offset for source, (offset, _) in held.task.positions().items()}
    return {source: offset - 1 for source, offset in offsets.items() if offset > 0}


def _check(query: Query, held: HeldTask, position: Mapping[TopicPartition, int]) -> None:
    """Every input of the bound with this task's partition must have come so far."""
    for source, offset in query.bound.items():
        if source.partition == held.spec.id.partition and position.get(source, -1) < offset:
            raise QueryError(
                f"store {query.store!r} is at {position.get(source, -1)} of {source}, not yet at {offset}; ask again",
                "not_up_to_bound",
            )
