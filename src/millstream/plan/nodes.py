"""The nodes of a topology: immutable, and nothing but data and the user's functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from millstream.plan.aggregation import Aggregation
from millstream.plan.calls import Calls
from millstream.plan.function import UserFunction
from millstream.plan.site import CallSite
from millstream.plan.windows import Windows
from millstream.serde import Serde

Emit: TypeAlias = Literal["every", "latest"]
# key, value, number of partitions -> one or more of them, none for the default by key, empty to drop (rule O10)
Partitioner: TypeAlias = Callable[[Any, Any, int], int | Iterable[int] | None]
Extractor: TypeAlias = Callable[[Any, Any, int, int], int]  # key, value, record's timestamp, partition time


# --- stores and topics


StoreType: TypeAlias = Literal["memory", "rocksdb"]
StoreKind: TypeAlias = Literal[
    "keyvalue",
    "window",
    "session",
    "suppress",
    "versioned",
    "join-buffer",
    "subscriptions",
    "join-window",
    "join-parked",
]


class StoreName(str):
    """A store's name that also says where its rows are kept."""

    __slots__ = ("store_type",)
    store_type: StoreType

    def __new__(cls, name: str, store_type: StoreType) -> StoreName:
        made = super().__new__(cls, name)
        made.store_type = store_type
        return made


def derived_store(name: str, suffix: str) -> str:
    """The name of one of several stores of an operator; it is kept where they all are.

    >>> derived_store("clicks", "-this-join-store")
    'clicks-this-join-store'
    """
    return StoreName(name + suffix, name.store_type) if isinstance(name, StoreName) else name + suffix


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """A state store. `kind` tells its shape and the form of its changelog (rules F1, F2).

    `timestamped` stores keep a timestamp beside the value. `window_ms` and `retention_ms` are for windows only, and
    `history_ms` for versioned stores: how long a version is known after a newer one came. `store_type` None is the
    application's default; a `StoreName` tells it too.
    """

    name: str
    kind: StoreKind
    key: Serde[Any]
    value: Serde[Any]
    timestamped: bool = True
    window_ms: int = 0
    retention_ms: int = 0
    history_ms: int = 0
    by_key: bool = False  # a window store in which a key's windows are looked for by a span of starts
    store_type: StoreType | None = None
    shows_ms: int = 0  # how much longer than the retention Kafka's store of this kind shows a window (rule W20)
    logged: bool = True  # False: it has no changelog, and what it holds is lost with its task
    source_topic: str | None = None  # the table's own topic, where that serves as the changelog (rule K2)

    def __post_init__(self) -> None:
        if isinstance(self.name, StoreName):
            object.__setattr__(self, "store_type", self.name.store_type)
            object.__setattr__(self, "name", str(self.name))


@dataclass(frozen=True, slots=True)
class RepartitionTopic:
    """An internal topic, with its name as in `<app>-<name>`: one that ends in -repartition, or in -topic (rule N2).

    `partitions` None means: as many as the topics that are written into it have (rule O7).

    One that an operator needs, not the user, is `mergeable` with others of the same stream (rule O5).
    """

    name: str
    partitions: int | None = None
    partitioner: Partitioner | None = None
    mergeable: bool = False


@dataclass(frozen=True, slots=True)
class GlobalTable:
    """A topic that every worker holds whole (rule K18).

    With a `supplier`, a processor of its `records`, whose serdes these are, keeps the store (rule K19).
    """

    topic: str
    store: StoreSpec
    source: str  # names of the nodes that Kafka Streams has for it
    name: str
    site: CallSite
    after: int  # how many nodes the program had before it
    index: int = -1  # its number among the sub-topologies
    supplier: Callable[[], Any] | None = None
    records: tuple[Serde[Any], Serde[Any]] | None = None


# --- nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step of the topology. Children are called in the order in which they were attached (rule O1)."""

    name: str
    parents: tuple[str, ...]
    site: CallSite

    @property
    def store_names(self) -> tuple[str, ...]:
        """The stores that it reads or writes."""
        return ()

    @property
    def meets(self) -> tuple[str, ...]:
        """Nodes whose rows it looks up by its own key, so that both must be partitioned alike (rule O8)."""
        return ()

    @property
    def needs_place(self) -> bool:
        """Whether it asks where the record at hand came from, or for the stream time at it."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Node):
    """Records of topics. `internal` topics are repartition topics: the application's prefix goes before them."""

    topics: tuple[str, ...]
    key: Serde[Any]
    value: Serde[Any]
    extractor: Extractor | None = None
    internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink(Node):
    """Records into a topic."""

    topic: str
    key: Serde[Any]
    value: Serde[Any]
    internal: bool = False
    partitioner: Partitioner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(Node):
    """Records for which the predicate holds (or does not, when negated)."""

    predicate: UserFunction
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPresent(Node):
    """Drops null keys before a repartition topic, unless they are wanted behind it (rule O6)."""

    null_keys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MapValues(Node):
    """A new value; the key stays."""

    mapper: UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class MapValuesAsync(Node):
    """A new value that is awaited, for several records at a time; their order and the key stay."""

    mapper: UserFunction
    calls: Calls

    @property
    def needs_place(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(Node):
    """A new key and value."""

    mapper: UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectKey(Node):
    """A new key; the value stays. `of_fields`: the key is made of fields, so a null value has a null key."""

    mapper: UserFunction
    of_fields: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatMap(Node):
    """Any number of (key, value) pairs for one record."""

    mapper: UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatMapValues(Node):
    """Any number of values for one record."""

    mapper: UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek(Node):
    """Calls an action and passes the record on; foreach is one without children."""

    action: UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(Node):
    """Records of several streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableNode(Node):
    """A node whose children take updates: (key, new, old, timestamp).

    `store` holds its rows; None where nobody looks them up (rule K2), or where they follow from its parents' rows.
    Updates carry the old value if `sends_old` (rule K3).
    """

    store: str | None = None
    emit: Emit = "every"
    sends_old: bool = False

    @property
    def store_names(self) -> tuple[str, ...]:
        return () if self.store is None else (self.store,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSource(TableNode):
    """A stream of records read as updates of a table. `topic` is the topic that holds just these, if one does."""

    topic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(TableNode):
    """A group's aggregate, kept in its store; windowed when `windows` is given."""

    aggregation: Aggregation
    windows: Windows | None
    on_close: bool = False  # each window once, when no record can change it any more (rule E7)
    cached: bool = False  # its updates are held back by the node below
    idle_after_ms: int | None = None  # without records for so long, time goes on by the wall clock; None: by settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ToStream(Node):
    """The updates of a table as records (rule K6): each that the table passes on, or the latest of a round."""

    emit: Emit = "every"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableJoin(Node):
    """Stream records with the row of a table that has their key (rules J13, J14).

    `table` is the table's node, `looked_up` the stores that its rows are read from. With a `buffer`, records wait there
    until the stream is `grace_ms` ahead of them (rule J17).
    """

    table: str
    looked_up: tuple[str, ...]
    joiner: UserFunction
    left: bool
    buffer: str | None = None
    grace_ms: int = 0

    @property
    def store_names(self) -> tuple[str, ...]:
        return self.looked_up if self.buffer is None else (self.buffer, *self.looked_up)

    @property
    def needs_place(self) -> bool:
        return self.buffer is not None

    @property
    def meets(self) -> tuple[str, ...]:
        return (self.table,)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalJoin(Node):
    """Stream records with the row of a global table that a mapper names (rule J15)."""

    store: str
    key: UserFunction
    joiner: UserFunction
    left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Process(Node):
    """A processor of the user's: `supplier` makes one for each task (rule P7). `fixed_key`: it must keep the key."""

    supplier: Callable[..., Any]
    stores: tuple[str, ...]
    fixed_key: bool = False
    calls: Calls | None = None  # how an asynchronous one makes them

    @property
    def needs_place(self) -> bool:
        return True

    @property
    def store_names(self) -> tuple[str, ...]:
        return self.stores
