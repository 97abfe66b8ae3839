"""What a processor can do while it runs: forward, read clocks and stores, be called later (rules P1-P7)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from millstream.duration import Duration, parse_duration_ms
from millstream.engine.context import metadata_of
from millstream.engine.facades import facade, kept_by, results_of
from millstream.engine.message import FixedKeyMessage, Message, RecordMetadata
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.punctuation import ClockKind, Punctuation, first_due
from millstream.errors import MillstreamError, StateError, TopologyError
from millstream.plan.nodes import Node, Process
from millstream.plan.tables import TableTransform
from millstream.state import Access


class ProcessorContext:
    """What a processor can do: forward records, read the clocks, see its stores, be called later.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> class Latest:
    ...     # every ten seconds of stream time, the latest value of each key and where it stood
    ...     stores = [ms.key_value_store("latest", value=str)]
    ...     def init(self, context: ms.ProcessorContext) -> None:
    ...         self.context, self.latest = context, context.get_state_store("latest")
    ...         context.schedule("10s", "stream-time", self.tell, start=10_000)
    ...     def process(self, record):
    ...         self.latest.put(record.key, f"{record.value} ({self.context.record_metadata.offset})")
    ...     def tell(self, now_ms):
    ...         for key, value in self.latest.all():
    ...             self.context.forward(ms.Message(key, value, now_ms))
    ...         self.context.commit()
    >>> app = ms.App("places")
    >>> app.stream("places", value=str).process(Latest, value=str).to("latest")
    >>> drive(app, ("places", "bus", "A", 0), ("places", "bus", "B", 6_000), ("places", "car", "C", 11_000))
    {'latest': [('bus', 'B (1)'), ('car', 'C (2)')]}

    What it knows of itself and of the time:

    >>> class Told:
    ...     def init(self, context):
    ...         print(context.application_id, context.task_id, context.current_stream_time_ms())
    ...         self.context = context
    ...     def process(self, record):
    ...         print(self.context.current_stream_time_ms(), self.context.current_system_time_ms())
    >>> app = ms.App("places")
    >>> app.stream("places", value=str).process(Told).to("out")
    >>> drive(app, ("places", "bus", "A", 7), wall_ms=100, app_id="places")
    places 0_0 -1
    7 100
    {}
    """

    def __init__(self, node: Process | TableTransform, downstream: Downstream, parts: Parts) -> None:
        self._node = node
        self._downstream = downstream
        self._parts = parts
        self._task = parts.context
        self._children = downstream.forward
        self._fixed_key = isinstance(node, Process) and node.fixed_key

    @property
    def application_id(self) -> str:
        """The application id; "app" in a test driver that was given none."""
        return self._parts.app_id

    @property
    def task_id(self) -> str:
        """The task's sub-topology and partition, such as `0_3`."""
        return str(self._parts.task)

    # --- records

    def forward(self, record: Message, child: str | None = None) -> None:
        """Pass a record to all children, or to the one with that name; it has gone through when this returns.

        In an asynchronous processor it goes on when the earlier records have, which is after `process` has returned.
        """
        target = self._children if child is None and not self._fixed_key else self.target(record, child)
        task = self._task
        headers, timestamp = task.headers, task.timestamp
        task.headers, task.timestamp = record.headers, record.timestamp
        try:
            target(record.key, record.value, record.timestamp)
        finally:
            task.headers, task.timestamp = headers, timestamp

    def target(self, record: Message, child: str | None) -> NodeFunction:
        """Where a record is forwarded to; refuses another key where it must stay (rules O3, P2)."""
        if self._fixed_key and not isinstance(record, FixedKeyMessage):
            raise MillstreamError(
                f"{self._node.site}: it must keep the key: forward what process was given, changed by with_value and "
                "the like; use process for records of another key"
            )
        if child is None:
            return self._children
        found = self._downstream.by_name.get(child)
        if found is None:
            known = ", ".join(self._downstream.by_name) or "none"
            raise MillstreamError(f"{self._node.site}: there is no child named {child!r}; there are: {known}")
        return found

    @property
    def record_metadata(self) -> RecordMetadata:
        """Where the record at hand came from; no topic and -1 in a punctuation (rule P1)."""
        return metadata_of(self._task.rows, self._task.row)

    def commit(self) -> None:
        """Ask for a commit soon (rule P6)."""
        self._task.commit_requested = True

    # --- time

    def current_stream_time_ms(self) -> int:
        """The largest timestamp that the task has taken from any of its inputs (rule T4); -1 at first."""
        return self._task.stream_time

    def current_system_time_ms(self) -> int:
        """The wall clock, as the task's loop last read it."""
        return self._task.wall_ms

    def schedule(
        self,
        interval: Duration,
        kind: ClockKind,
        callback: Callable[[int], object],
        *,
        start: int | None = None,
    ) -> Punctuation:
        """Call back with the current time in ms, every interval of stream time or wall-clock time (rules P3, P4).

        Stream-time calls are due at multiples of the interval from 0, wall-clock calls from now on; `start` shifts
        both. Missed calls collapse into one. The result's `cancel()` ends it.
        """
        interval_ms = parse_duration_ms(interval)
        if interval_ms <= 0:
            raise MillstreamError(f"{self._node.site}: a punctuation's interval must be more than 0")
        if kind not in ("stream-time", "wall-clock"):
            raise MillstreamError(f'{self._node.site}: the kind is "stream-time" or "wall-clock", got {kind!r}')
        if start is not None and start < 0:
            raise MillstreamError(f"{self._node.site}: a punctuation starts at 0 or later, got {start}")
        if inspect.iscoroutinefunction(callback):
            raise MillstreamError(f"{self._node.site}: a punctuation is a plain function, not an async one")
        due, anchor = first_due(kind, interval_ms, self._task.wall_ms, start)
        item = Punctuation(kind, interval_ms, due, anchor, self._guarded(callback))
        (self._parts.stream_time if kind == "stream-time" else self._parts.wall_clock).add(item)
        return item

    def _guarded(self, callback: Callable[[int], object]) -> Callable[[int], None]:
        node, failed, task = self._node, self._parts.failures.processing, self._task

        def call(now: int) -> None:
            task.rows, task.headers, task.timestamp = None, (), now  # P1
            task.punctuating = True
            try:
                callback(now)
            except MillstreamError:
                raise
            except Exception as error:
                failed(node.name, node.site, error)
            finally:
                task.punctuating = False

        return call

    # --- stores

    def get_state_store(self, name: str) -> Any:
        """A store that was given to `process(..., stores=[...])`, or a global table's store (rule P7)."""
        shared = self._parts.global_stores.get(name)
        if shared is not None:
            return facade(self._parts.specs[name], shared, Access(self._refuse_global))
        if name not in self._node.stores:
            known = ", ".join(self._node.stores) or "none"
            raise TopologyError(
                f"{self._node.site}: the store {name!r} is not connected to this processor (connected: {known}); "
                "name it in process(..., stores=[...])"
            )
        nodes = self._parts.nodes
        keeper = kept_by(name, nodes)
        access = Access(self._time) if keeper is None else Access(self._refuse(keeper), results_of(name, nodes))
        store = facade(self._parts.specs[name], self._parts.rows(name), access)
        if store is None:
            raise TopologyError(f"{self._node.site}: the store {name!r} is of use only to the operator that it is of")
        return store

    def _time(self) -> int:
        """The timestamp of what is written now."""
        return max(self._task.timestamp, 0)

    def _refuse_global(self) -> int:
        """What a store asks before it writes; the rows of a global table come from its topic alone (rule K18)."""
        raise StateError(f"{self._node.site}: the store of a global table is read-only; write to its topic")

    def _refuse(self, keeper: Node) -> Callable[[], int]:
        def refuse() -> int:
            raise StateError(
                f"{self._node.site}: this store is read-only, because {keeper.site} keeps it; declare a store of the "
                "processor's own"
            )

        return refuse
