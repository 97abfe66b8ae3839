"""Where a program begins: streams and tables of topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, TypeVar, overload

from millstream.dsl.aggregation import Materialized
from millstream.dsl.builder import Builder
from millstream.dsl.by_hand import ByHand
from millstream.dsl.extractor import extractor_of
from millstream.dsl.handle import ANY_JSON, Handle, check_topics, given_serde, same_serde
from millstream.dsl.stream import GlobalTable as GlobalTableHandle
from millstream.dsl.stream import Stream, Table
from millstream.duration import Duration
from millstream.errors import TopologyError
from millstream.plan.describe import describe
from millstream.plan.nodes import Emit, GlobalTable, Source, StoreName, StoreSpec, TableSource
from millstream.plan.picture import dot, mermaid
from millstream.plan.rewrites import rewrites_named
from millstream.plan.site import call_site
from millstream.plan.topology import Topology
from millstream.serde import Serde

Notation: TypeAlias = Literal["text", "mermaid", "dot"]
Optimize: TypeAlias = str | bool | Sequence[str] | None

K = TypeVar("K")
V = TypeVar("V")


class Program(ByHand):
    """Collects a topology: Kafka Streams' `StreamsBuilder`. `emit` is the default for tables and aggregations.

    `"every"` passes on each update, `"latest"` the last update of each key in a round of processing. `optimize` is
    "none", "all", or names of optimisations as in Kafka Streams' `topology.optimization`. With `require_names` a
    program is refused whose internal topics have generated names.
    """

    def __init__(self, *, emit: Emit = "latest", optimize: Optimize = "none", require_names: bool = False) -> None:
        if emit not in ("every", "latest"):
            raise TopologyError(f'emit must be "every" or "latest", got {emit!r}')
        rewrites_named(optimize)  # refused here, where it was given
        self.optimize = optimize
        self.require_names = require_names
        self._builder = Builder(emit)
        self._times: dict[str, Callable[..., int] | None] = {}  # of each source of a stream, as it was given

    @overload
    def stream(
        self,
        *topics: str,
        value: type[V] | Serde[V],
        time: Callable[..., int] | None = None,
        name: str | None = None,
    ) -> Stream[str, V]: ...
    @overload
    def stream(
        self,
        *topics: str,
        value: type[V] | Serde[V],
        key: type[K] | Serde[K],
        time: Callable[..., int] | None = None,
        name: str | None = None,
    ) -> Stream[K, V]: ...
    @overload
    def stream(
        self,
        *topics: str,
        value: Any = None,
        key: Any = str,
        time: Callable[..., int] | None = None,
        name: str | None = None,
    ) -> Stream[Any, Any]: ...
    def stream(
        self,
        *topics: str,
        value: Any = None,
        key: Any = str,
        time: Callable[..., int] | None = None,
        name: str | None = None,
    ) -> Stream[Any, Any]:
        """The records of one or more topics. `key` and `value` are types or serdes; values are any JSON by default.

        `time` takes the timestamp from the value, or from (key, value), in ms since the epoch; without it the record's
        own timestamp counts. A negative one of `time` drops the record (rule T3); of a record's own the setting
        `on_bad_time` says what becomes (rule T2). A topic that is read alike in several
        places is one source.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Order(ms.Record):
        ...     item: str
        ...     placed_ms: int
        >>> app = ms.App("shop")
        >>> orders = app.stream("orders", "old-orders", value=Order, time=lambda order: order.placed_ms)
        >>> orders.map_values(lambda order: order.item, value=str).to("items")
        >>> drive(app, ("orders", "ann", Order("tea", 5)), ("old-orders", "bob", Order("pie", 3)))
        {'items': [('ann', 'tea'), ('bob', 'pie')]}
        """
        site = call_site("stream")
        if not topics or not all(isinstance(topic, str) and topic for topic in topics):
            raise TopologyError(f"{site}: give one or more names of topics, got {topics!r}")
        check_topics(topics, site)
        node = self._builder.name("KSTREAM-SOURCE", name)
        source = Source(
            name=node,
            parents=(),
            site=site,
            topics=topics,
            key=given_serde(key, key=True),
            value=ANY_JSON if value is None else given_serde(value),
            extractor=extractor_of(time, site),
        )
        return Stream(self._shared(source, time))

    @overload
    def table(
        self,
        topic: str,
        *,
        value: type[V] | Serde[V],
        store: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        time: Callable[..., int] | None = None,
        name: str | None = None,
    ) -> Table[str, V]: ...
    @overload
    def table(
        self,
        topic: str,
        *,
        value: type[V] | Serde[V],
        key: type[K] | Serde[K],
        store: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        time: Callable[..., int] | None = None,
        name: str | None = None,
    ) -> Table[K, V]: ...
    @overload
    def table(
        self,
        topic: str,
        *,
        value: Any = None,
        key: Any = str,
        store: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        time: Callable[..., int] | None = None,
        name: str | None = None,
    ) -> Table[Any, Any]: ...
    def table(
        self,
        topic: str,
        *,
        value: Any = None,
        key: Any = str,
        store: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        time: Callable[..., int] | None = None,
        name: str | None = None,
    ) -> Table[Any, Any]:
        """A topic as a table: the latest value of each key; a null value deletes the row (rule K1).

        `store` names its store. With a `history` the table is versioned: streams are joined with the row as it was at
        their own time, and it is known for as long what a key's value was before (rules K15, K16). `time` is as in
        `stream`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> orders, prices = app.stream("orders", value=str), app.table("prices", value=int, history="1h")
        >>> orders.join(prices, lambda order, price: f"{order} for {price}", result=str).to("out")
        >>> drive(app, ("prices", "tea", 4, 0), ("prices", "tea", 5, 2_000), ("orders", "tea", "1 cup", 1_000))
        {'out': [('tea', '1 cup for 4')]}
        """
        site = call_site("table")
        check_topics((topic,), site)
        how = Materialized(store, None, emit, history)
        reserved = store or self._builder.name(f"{topic}-STATE-STORE")
        source = Source(
            name=self._builder.name("KSTREAM-SOURCE", name and f"{name}-source"),
            parents=(),
            site=site,
            topics=(topic,),
            key=given_serde(key, key=True),
            value=ANY_JSON if value is None else given_serde(value),
            extractor=extractor_of(time, site),
        )
        handle = Handle(self._builder, self._builder.add(source), source.key, source.value)
        node = TableSource(
            name=self._builder.name("KTABLE-SOURCE", name),
            parents=(handle.node,),
            site=site,
            store=reserved if store or history is not None else None,
            emit=how.emission(self._builder, site),
            topic=topic,
        )
        self._builder.reserved[node.name] = how.spec(reserved, source.key, source.value, site)
        if store or history is not None:
            self._builder.add_store(self._builder.reserved[node.name], site)
        return Table(handle.after(node, store=reserved))

    @overload
    def global_table(
        self, topic: str, *, value: type[V] | Serde[V], store: str | None = None
    ) -> GlobalTableHandle[str, V]: ...
    @overload
    def global_table(
        self, topic: str, *, value: type[V] | Serde[V], key: type[K] | Serde[K], store: str | None = None
    ) -> GlobalTableHandle[K, V]: ...
    @overload
    def global_table(
        self, topic: str, *, value: Any = None, key: Any = str, store: str | None = None
    ) -> GlobalTableHandle[Any, Any]: ...
    def global_table(
        self, topic: str, *, value: Any = None, key: Any = str, store: str | None = None
    ) -> GlobalTableHandle[Any, Any]:
        """A topic as a table that every worker holds whole, all partitions, complete before anything is processed.

        Streams look rows up in it by any key. It has no changelog, and its updates come with no order in time relative
        to the streams (rule K18). `store` names its store, which every processor may read.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> prices = app.global_table("prices", value=int)
        >>> orders = app.stream("orders", value=str)
        >>> orders.join(prices, lambda item, price: f"{item}: {price}", key=lambda item: item, result=str).to("out")
        >>> drive(app, ("prices", "tea", 4), ("orders", "ann", "tea"))
        {'out': [('ann', 'tea: 4')]}
        """
        site = call_site("global_table")
        check_topics((topic,), site)
        if isinstance(store, StoreName) and store.store_type != "memory":
            raise TopologyError(f"{site}: global tables are kept in memory; name the store {str(store)!r} as it is")
        name = store or self._builder.name(f"{topic}-STATE-STORE")
        source = self._builder.name("KSTREAM-SOURCE")
        node = self._builder.name("KTABLE-SOURCE")
        keys, values = given_serde(key, key=True), ANY_JSON if value is None else given_serde(value)
        self._builder.add_global_table(
            GlobalTable(topic, StoreSpec(name, "keyvalue", keys, values), source, node, site, self._builder.size)
        )
        return GlobalTableHandle(name)

    def describe(self, notation: Notation = "text") -> str:
        """The topology in words, as Kafka Streams' `Topology.describe()` puts it, or the source of a picture of it.

        >>> import millstream as ms
        >>> app = ms.App("copies")
        >>> app.stream("lines", value=str).to("copies")
        >>> print(app.describe())
        Topologies:
           Sub-topology: 0
            Source: KSTREAM-SOURCE-0000000000 (topics: [lines])
              --> KSTREAM-SINK-0000000001
            Sink: KSTREAM-SINK-0000000001 (topic: copies)
              <-- KSTREAM-SOURCE-0000000000
        <BLANKLINE>
        >>> app.describe("mermaid").splitlines()[0]
        'flowchart TD'
        """
        written = {"text": describe, "mermaid": mermaid, "dot": dot}
        if notation not in written:
            raise TopologyError(f'{call_site("describe")}: give "text", "mermaid" or "dot", got {notation!r}')
        return written[notation](self.topology())

    def topology(self) -> Topology:
        """Validate the program, optimise it as `optimize` says, and freeze it.

        Raises:
            TopologyError: the program cannot run as written.

        >>> import millstream as ms
        >>> app = ms.App("words")
        >>> counts = app.stream("lines", value=str).group_by(lambda line: line[0], name="by-letter").count()
        >>> topology = app.topology()
        >>> len(topology.subtopologies), list(topology.repartition_topics)
        (2, ['by-letter-repartition'])
        """
        return self._builder.topology(rewrites_named(self.optimize), require_names=self.require_names)

    def _shared(self, source: Source, time: Callable[..., int] | None) -> Handle:
        """A topic that is read as a stream in several places is one source, if it is read alike."""
        known = self._builder.source_of(source.topics[0])
        if known is not None and known.topics == source.topics and known.name in self._times:
            alike = same_serde(known.key, source.key) and same_serde(known.value, source.value)
            if not alike or self._times[known.name] is not time:
                what = "another time=" if alike else "other types"
                raise TopologyError(f"{source.site}: {known.site} reads the same topic with {what}; use the same")
            return Handle(self._builder, known.name, known.key, known.value)
        self._times[source.name] = time
        return Handle(self._builder, self._builder.add(source), source.key, source.value)
