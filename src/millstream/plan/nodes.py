"""The nodes of a topology: immutable, and nothing but data and the user's functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from millstream.plan.aggregation import Aggregation
from millstream.plan.function import UserFunction
from millstream.plan.site import CallSite
from millstream.plan.windows import TimeWindows
from millstream.serde import Serde

Emit: TypeAlias = Literal["every", "latest"]
Extractor: TypeAlias = Callable[[Any, Any, int, int], int]  # key, value, record's timestamp, partition time


# --- stores and topics


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """A state store. `kind` tells its shape and the form of its changelog (rules F1, F2).

    `timestamped` stores keep a timestamp beside the value. `window_ms` and `retention_ms` are for windows only.
    """

    name: str
    kind: Literal["keyvalue", "window"]
    key: Serde[Any]
    value: Serde[Any]
    timestamped: bool = True
    window_ms: int = 0
    retention_ms: int = 0


@dataclass(frozen=True, slots=True)
class RepartitionTopic:
    """An internal topic; `partitions` None means: as many as the topics that are written into it have (rule O7).

    Records without a key are dropped before it unless it takes `null_keys` (rule O6).
    """

    name: str
    partitions: int | None = None
    null_keys: bool = False


@dataclass(frozen=True, slots=True)
class GlobalTable:
    """A topic that every worker holds whole (rule K18)."""

    topic: str
    store: StoreSpec
    source: str  # names of the nodes that Kafka Streams has for it
    name: str
    site: CallSite


# --- nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step of the topology. Children are called in the order in which they were attached (rule O1)."""

    name: str
    parents: tuple[str, ...]
    site: CallSite


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
class Map(Node):
    """A new key and value."""

    mapper: UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectKey(Node):
    """A new key; the value stays."""

    mapper: UserFunction


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
class TableSource(Node):
    """A stream of records read as updates of a table. `store` None: nobody looks rows up (rule K2)."""

    store: str | None
    emit: Emit
    sends_old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Node):
    """A group's aggregate, kept in a store; windowed when `windows` is given."""

    store: str
    aggregation: Aggregation
    windows: TimeWindows | None
    emit: Emit
    sends_old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToStream(Node):
    """The updates of a table as records (rule K6): each that the table passes on, or the latest of a round."""

    emit: Emit = "every"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableJoin(Node):
    """Stream records with the row of a table that has their key (rules J13, J14)."""

    store: str
    joiner: UserFunction
    left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalJoin(Node):
    """Stream records with the row of a global table that a mapper names (rule J15)."""

    store: str
    key: UserFunction
    joiner: UserFunction
    left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Process(Node):
    """A processor of the user's: `supplier` makes one for each task (rule P7)."""

    supplier: Callable[..., Any]
    stores: tuple[str, ...]
