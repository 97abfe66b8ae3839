"""What a node is compiled with: its children's functions, and the task's shared parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from millstream.engine.context import TaskContext
from millstream.engine.event_loop import EventLoop
from millstream.engine.failures import Failures
from millstream.engine.idle import IdleClock, IdleTimer
from millstream.engine.lookups import Lookup, Transforms, is_versioned, lookup
from millstream.engine.metrics import TaskMetrics
from millstream.engine.outbox import Outbox
from millstream.engine.punctuation import Schedule
from millstream.engine.settings import EngineSettings
from millstream.engine.stores import Rows
from millstream.plan.internal import TaskId
from millstream.plan.nodes import Node, StoreSpec, TableNode
from millstream.serde import Window

# children of streams are called with (key, value, timestamp), children of tables with (key, new, old, timestamp)
NodeFunction: TypeAlias = Callable[..., None]
# what a node that takes windowed keys may be called with instead: key, window, value, timestamp
ApartFunction: TypeAlias = Callable[[Any, Window, Any, int], None]


@dataclass(frozen=True, slots=True)
class Downstream:
    """A node's children: all of them as one function, in the order of attachment (rule O1), and each by its name.

    `late` is the stream of the records that a windowed aggregation drops as late, if there is one.
    """

    forward: NodeFunction
    by_name: Mapping[str, NodeFunction]
    late: NodeFunction | None = None
    vanished: Sequence[Callable[[Any, int], None]] = ()  # see Parts
    apart: ApartFunction | None = None  # of an only child


@dataclass(slots=True)
class Parts:
    """The shared parts of one task; nodes add to the lists at the end while they are compiled."""

    task: TaskId
    app_id: str
    context: TaskContext
    outbox: Outbox
    failures: Failures
    metrics: TaskMetrics
    stores: Mapping[str, Rows]
    global_stores: Mapping[str, Rows]
    nodes: Mapping[str, Node]
    specs: Mapping[str, StoreSpec]
    settings: EngineSettings
    loop: EventLoop
    transforms: Transforms = field(default_factory=dict)
    close_times: dict[str, int] = field(default_factory=dict)  # by store: up to when it has emitted (rule E9)
    idle: IdleClock = field(default_factory=IdleClock)
    clocks: dict[str, Callable[[int], None]] = field(default_factory=dict)  # by windowed aggregation: passes its time
    # by table: who may have seen a row that came and went within a round, and is told its key and time at the end of it
    vanished: dict[str, list[Callable[[Any, int], None]]] = field(default_factory=dict)
    apart: dict[str, ApartFunction] = field(default_factory=dict)  # by node that can take windowed keys so
    seen: dict[str, set[Any]] = field(default_factory=dict)  # by topic of answers: keys of right rows seen in a round
    watching: dict[str, Callable[[NodeFunction], NodeFunction]] = field(default_factory=dict)  # by store of two nodes
    stream_time: Schedule = field(default_factory=Schedule)
    wall_clock: Schedule = field(default_factory=Schedule)
    starts: list[Callable[[], None]] = field(default_factory=list)  # once, when the stores are restored
    flushes: list[Callable[[], None]] = field(default_factory=list)  # at the end of each round
    settles: list[Callable[[], None]] = field(default_factory=list)  # before a punctuation: calls under way
    discards: list[Callable[[], None]] = field(default_factory=list)  # when what is under way is given up
    closes: list[Callable[[], None]] = field(default_factory=list)

    @property
    def wants_places(self) -> bool:
        """Whether anything asks where records came from, so that those which were held back must tell it too."""
        return self.failures.ask_for_sources or any(node.needs_place for node in self.nodes.values())

    def idle_timer(
        self,
        own_ms: int | None,
        time: Callable[[], int],
        due: Callable[[], int | None] | None,
        pass_time: Callable[[int], None],
    ) -> Callable[[NodeFunction], NodeFunction]:
        """Let an operator's time go on while no records come: if its own setting, or else the program's, says so. What
        is returned is to be put around the operator's function.
        """
        idle_after_ms = self.settings.idle_after_ms if own_ms is None else own_ms
        if idle_after_ms is None or due is None:
            return lambda function: function
        timer = IdleTimer(idle_after_ms, time, due, pass_time)
        self.idle.timers.append(timer)
        return timer.watching

    def rows(self, store: str) -> Any:
        return self.stores[store]

    def lookup(self, table: str) -> Lookup:
        """The function that finds a table's rows."""
        return lookup(table, self.nodes, self.stores, self.transforms)

    def on_vanished(self, table: str, tell: Callable[[Any, int], None]) -> None:
        """Call it for rows of the table, or of those that it is made of, that nobody below is told of."""
        node = self.nodes[table]
        self.vanished.setdefault(table, []).append(tell)
        if isinstance(node, TableNode) and node.store is None:
            for parent in node.parents:
                self.on_vanished(parent, tell)

    def holds_back(self, table: str) -> bool:
        """Whether a table's updates, or those of what it is made of, wait for the end of a round while rows change."""
        node = self.nodes[table]
        if not isinstance(node, TableNode):
            return False
        return node.emit == "latest" or (node.store is None and any(map(self.holds_back, node.parents)))

    def is_versioned(self, table: str) -> bool:
        """Whether that function takes a moment behind the key."""
        return is_versioned(table, self.nodes, self.stores)
