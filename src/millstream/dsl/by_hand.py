"""A topology built by hand, node by node: Kafka Streams' `Topology`. It may be mixed with streams and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from millstream.dsl.builder import Builder
from millstream.dsl.extractor import extractor_of
from millstream.dsl.handle import ANY_JSON, Handle, given_serde
from millstream.dsl.processing import Stores, check_calls, check_supplier, connected
from millstream.dsl.steps import add_sink
from millstream.errors import TopologyError
from millstream.plan.branches import Split
from millstream.plan.calls import Calls
from millstream.plan.nodes import GlobalTable, Partitioner, Process, Sink, Source, StoreSpec, TableNode
from millstream.plan.sinks import Print, RoutedSink
from millstream.plan.site import CallSite, call_site
from millstream.serde import STRING


class ByHand:
    """Sources, processors and sinks by name; each method returns the name that it was given.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> def shouted(record: ms.Message):
    ...     yield record.with_value(record.value.upper())
    >>> app = ms.App("shouting")
    >>> source = app.add_source("lines", "lines", value=str)
    >>> app.add_sink("loud", "loud-lines", app.add_processor("shouted", shouted, source), value=str)
    'loud'
    >>> drive(app, ("lines", "k", "ho"))
    {'loud-lines': [('k', 'HO')]}
    """

    _builder: Builder

    def add_source(
        self,
        name: str,
        *topics: str,
        key: Any = str,
        value: Any = None,
        time: Callable[..., int] | None = None,
    ) -> str:
        """Records of topics. `key` and `value` are types or serdes; `time` takes the timestamp, as in `stream`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("copies")
        >>> app.add_source("lines", "lines", "old-lines", value=str)
        'lines'
        >>> app.add_sink("copies", "copies", "lines", value=str)
        'copies'
        >>> drive(app, ("old-lines", "k", "ho"))
        {'copies': [('k', 'ho')]}
        """
        site = call_site("add_source")
        if not topics or not all(isinstance(topic, str) and topic for topic in topics):
            raise TopologyError(f"{site}: give one or more names of topics, got {topics!r}")
        source = Source(
            name=_named(name, site),
            parents=(),
            site=site,
            topics=topics,
            key=given_serde(key, key=True),
            value=ANY_JSON if value is None else given_serde(value),
            extractor=extractor_of(time, site),
        )
        return self._builder.add(source)

    def add_processor(
        self,
        name: str,
        supplier: Any,
        parents: str | Sequence[str],
        *,
        stores: Stores = (),
        calls: Calls | None = None,
    ) -> str:
        """A processor behind other nodes, as in `process`; what it forwards goes to its children.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Routed:
        ...     def init(self, context):
        ...         self.context = context
        ...     def process(self, record):
        ...         self.context.forward(record, "long" if len(record.value) > 10 else "short")
        >>> app = ms.App("lines")
        >>> app.add_processor("routed", Routed, app.add_source("lines", "lines", value=str))
        'routed'
        >>> for name in ("long", "short"):
        ...     _ = app.add_sink(name, f"{name}-lines", "routed", value=str)
        >>> drive(app, ("lines", "k", "ho"))
        {'short-lines': [('k', 'ho')]}
        """
        site = call_site("add_processor")
        check_supplier(supplier, site, "process")
        names = connected(self._builder, supplier, stores, site)
        check_calls(supplier, names, calls, site)
        parents = self._parents(parents, site)
        added = Process(
            name=_named(name, site), parents=parents, site=site, supplier=supplier, stores=names, calls=calls
        )
        return self._builder.add(added)

    def add_sink(
        self,
        name: str,
        topic: str | Callable[..., str],
        parents: str | Sequence[str],
        *,
        key: Any = str,
        value: Any = None,
        partitioner: Partitioner | None = None,
    ) -> str:
        """Records of other nodes into a topic, or into the topics that a function tells, as in `to`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("orders")
        >>> orders = app.add_source("orders", "orders", value=str)
        >>> app.add_sink("by-item", lambda key, item: f"{item}-orders", orders, value=str)
        'by-item'
        >>> drive(app, ("orders", "ann", "tea"))
        {'tea-orders': [('ann', 'tea')]}
        """
        site = call_site("add_sink")
        place = Handle(self._builder, _named(name, site), STRING, ANY_JSON)
        add_sink(place, topic, (key, value), (name, self._parents(parents, site), site), partitioner)
        return name

    def add_store(self, store: StoreSpec, *processors: str) -> str:
        """Declare a store, for the processors named and those that name it in `stores=`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Numbered:
        ...     def init(self, context):
        ...         self.context, self.seen = context, context.get_state_store("seen")
        ...     def process(self, record):
        ...         self.seen.put(record.key, (self.seen.get(record.key) or 0) + 1)
        ...         self.context.forward(record.with_value(self.seen.get(record.key)))
        >>> app = ms.App("lines")
        >>> app.add_processor("numbered", Numbered, app.add_source("lines", "lines", value=str))
        'numbered'
        >>> app.add_store(ms.key_value_store("seen", value=int), "numbered")
        'seen'
        >>> app.add_sink("numbers", "numbers", "numbered", value=int)
        'numbers'
        >>> drive(app, ("lines", "k", "ho"), ("lines", "k", "ha"))
        {'numbers': [('k', 1), ('k', 2)]}
        """
        site = call_site("add_store")
        if not isinstance(store, StoreSpec):
            raise TopologyError(f"{site}: expected what ms.key_value_store or its like declares, got {store!r}")
        self._builder.add_store(store, site, shared=True)
        for processor in processors:
            self._connect(processor, (store.name,), site)
        return store.name

    def connect(self, processor: str, *stores: StoreSpec | str) -> str:
        """Let a processor see stores, those of tables among them, which it reads.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Priced:
        ...     def init(self, context):
        ...         self.context, self.prices = context, context.get_state_store("prices")
        ...     def process(self, record):
        ...         self.context.forward(record.with_value(self.prices.get(record.value)))
        >>> app = ms.App("shop")
        >>> prices = app.table("prices", value=int, store="prices")
        >>> app.add_processor("priced", Priced, app.add_source("orders", "orders", value=str))
        'priced'
        >>> app.connect("priced", "prices")
        'priced'
        >>> app.add_sink("out", "out", "priced", value=int)
        'out'
        >>> drive(app, ("prices", "tea", 4), ("orders", "ann", "tea"))
        {'out': [('ann', 4)]}
        """
        site = call_site("connect")
        self._connect(processor, connected(self._builder, None, stores, site), site)
        return processor

    def add_read_only_store(
        self, store: StoreSpec, topic: str, supplier: Callable[[], Any], *, source: str, processor: str
    ) -> str:
        """A key-value store that a processor fills from a topic as it is, so that the topic serves as its changelog.

        The processor puts each record's key and value into the store, as a table does; it may forward something too.
        `source` and `processor` name the two nodes. The topic is read with the store's types, and should be compacted.
        Other processors see the store when they are connected to it.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Filled:
        ...     def init(self, context):
        ...         self.prices = context.get_state_store("prices")
        ...     def process(self, record):
        ...         self.prices.put(record.key, record.value)
        >>> app = ms.App("shop")
        >>> prices = ms.key_value_store("prices", value=int)
        >>> app.add_read_only_store(prices, "prices", Filled, source="prices", processor="filled")
        'filled'
        >>> from millstream.testing import TestDriver
        >>> with TestDriver(app) as driver:
        ...     driver.pipe("prices", 4, key="tea")
        ...     driver.store("prices").get("tea"), driver.changelog
        (4, [])
        """
        site = call_site("add_read_only_store")
        if not isinstance(store, StoreSpec) or store.kind != "keyvalue":
            raise TopologyError(f"{site}: expected what ms.key_value_store declares, got {store!r}")
        self._builder.add(
            Source(name=_named(source, site), parents=(), site=site, topics=(topic,), key=store.key, value=store.value)
        )
        return self.add_processor(processor, supplier, source, stores=[replace(store, source_topic=topic)])

    def add_global_store(
        self, store: StoreSpec, topic: str, supplier: Callable[[], Any], *, key: Any = str, value: Any = None
    ) -> str:
        """A store that every worker has whole, kept by a processor of the topic's records (rule K19).

        The processor gets every record of all partitions, from the first on whenever a worker starts; it writes into
        the store, which it gets by name, and forwards nothing. All other processors may read it.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class ByCity:
        ...     def init(self, context):
        ...         self.cities = context.get_state_store("cities")
        ...     def process(self, record):
        ...         self.cities.put(record.value["city"], record.key)
        >>> class Station:
        ...     def init(self, context):
        ...         self.context, self.cities = context, context.get_state_store("cities")
        ...     def process(self, record):
        ...         self.context.forward(record.with_value(self.cities.get(record.value)))
        >>> app = ms.App("trips")
        >>> app.add_global_store(ms.key_value_store("cities", value=str), "stations", ByCity)
        'cities'
        >>> app.stream("trips", value=str).process_values(Station, value=str).to("out")
        >>> drive(app, ("stations", "station-1", {"city": "Oslo"}), ("trips", "ann", "Oslo"))
        {'out': [('ann', 'station-1')]}
        """
        site = call_site("add_global_store")
        check_supplier(supplier, site, "process")
        if not isinstance(store, StoreSpec):
            raise TopologyError(f"{site}: expected what ms.key_value_store or its like declares, got {store!r}")
        source = self._builder.name("KSTREAM-SOURCE")
        node = self._builder.name("KTABLE-SOURCE")
        serdes = (given_serde(key, key=True), ANY_JSON if value is None else given_serde(value))
        added = GlobalTable(topic, store, source, node, site, self._builder.size, supplier=supplier, records=serdes)
        self._builder.add_global_table(added)
        return store.name

    def _parents(self, given: str | Sequence[str], site: CallSite) -> tuple[str, ...]:
        names = (given,) if isinstance(given, str) else tuple(given)
        if not names:
            raise TopologyError(f"{site}: name the nodes that it stands behind")
        for name in names:
            if not self._builder.has_node(name):
                raise TopologyError(f"{site}: there is no node named {name!r}; add the nodes before it first")
            match self._builder.node(name):
                case Sink() | RoutedSink() | Print():
                    raise TopologyError(f"{site}: {name!r} is a sink, and nothing stands behind one")
                case TableNode():
                    raise TopologyError(f"{site}: {name!r} is a table; take its updates with to_stream(name=...)")
                case Split():
                    raise TopologyError(f"{site}: {name!r} is a split; stand behind one of its branches")
        return names

    def _connect(self, processor: str, stores: Sequence[str], site: CallSite) -> None:
        node = self._builder.node(processor) if self._builder.has_node(processor) else None
        if not isinstance(node, Process):
            raise TopologyError(f"{site}: there is no processor named {processor!r}; add it before")
        self._builder.replace(replace(node, stores=tuple(dict.fromkeys((*node.stores, *stores)))))


def _named(name: str, site: CallSite) -> str:
    if not isinstance(name, str) or not name:
        raise TopologyError(f"{site}: give the node a name, got {name!r}")
    return name
