"""The plan under construction: hands out names, collects nodes and stores, and freezes them into a topology."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from millstream.errors import TopologyError
from millstream.plan.internal import is_name, is_topic_name, refuse_unlike_counts
from millstream.plan.naming import refuse_unnamed
from millstream.plan.nodes import Emit, GlobalTable, KeyPresent, Node, RepartitionTopic, Sink, Source, StoreSpec
from millstream.plan.rewrites import rewritten
from millstream.plan.rewrites.draft import Draft
from millstream.plan.site import CallSite
from millstream.plan.topology import Topology, build_topology
from millstream.serde import Serde, is_hashable

_GENERATED = re.compile(r"KSTREAM.*-[0-9]{10}-repartition")


class Builder:
    """Collects what the DSL's methods add. Names count up as Kafka Streams' do (rules N4-N18)."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.sources_for_joins: dict[str, str] = {}  # of the topics that streams go through for joins, by their nodes
        self.reserved: dict[str, StoreSpec] = {}  # stores that source tables get when they are needed, by node
        self.taken: dict[str, tuple[Serde[Any], Serde[Any]]] = {}  # what aggregations in windows take, by node
        self.serdes: dict[str, tuple[Serde[Any], Serde[Any]]] = {}  # of what nodes pass on
        self._index = 0
        self._generated: set[str] = set()
        self._nodes: dict[str, Node] = {}
        self._stores: dict[str, StoreSpec] = {}
        self._store_sites: dict[str, CallSite] = {}
        self._global_tables: dict[str, GlobalTable] = {}
        self._repartition_topics: dict[str, RepartitionTopic] = {}

    def name(self, prefix: str, given: str | None = None) -> str:
        """The next generated name; one that the user gave still burns its index."""
        generated = f"{prefix}-{self._index:010d}"
        self._index += 1
        if given is not None:
            return given
        self._generated.add(generated)
        return generated

    def emission(self, given: Emit | None, site: CallSite) -> Emit:
        """What was given, or else the program's default."""
        if given not in (None, "every", "latest"):
            raise TopologyError(f'{site}: emit must be "every" or "latest", got {given!r}')
        return given or self.emit

    def add(self, node: Node) -> str:
        if not is_name(node.name):
            raise TopologyError(
                f"{node.site}: {node.name!r} cannot name an operator; use up to 249 ASCII letters, digits, '.', '_' "
                "and '-'"
            )
        if node.name in self._nodes:
            raise TopologyError(
                f"{node.site}: the name {node.name!r} is already used by {self._nodes[node.name].site}; "
                "give another name="
            )
        self._nodes[node.name] = node
        return node.name

    def replace(self, node: Node) -> None:
        """A node of the same name with more detail known, such as a table that turned out to need a store."""
        self._nodes[node.name] = node

    @property
    def size(self) -> int:
        """The number of nodes so far."""
        return len(self._nodes)

    def has_node(self, name: str) -> bool:
        return name in self._nodes

    def node(self, name: str) -> Node:
        return self._nodes[name]

    def source_of(self, topic: str) -> Source | None:
        """The source that already reads a topic, if any."""
        found = (node for node in self._nodes.values() if isinstance(node, Source) and topic in node.topics)
        return next(found, None)

    def add_store(self, store: StoreSpec, site: CallSite, *, shared: bool = False) -> None:
        """Declare a store; processors may share one, everything else has its own."""
        if not is_topic_name(store.name):
            raise TopologyError(
                f"{site}: {store.name!r} cannot name a store, because a topic is named after it; "
                "use up to 200 ASCII letters, digits, '.', '_' and '-'"
            )
        if store.key.type is Any or not is_hashable(store.key.type):
            raise TopologyError(
                f"{site}: the keys of store {store.name!r} have no declared type that can be compared "
                f"({store.key.name}); declare the key's type, such as key=str or a ms.Record"
            )
        if store.store_type == "rocksdb" and not store.logged:
            raise TopologyError(
                f"{site}: the store {store.name!r} has no changelog, so it is kept in memory; "
                "declare it with logged=True, or without ms.in_rocksdb"
            )
        if store.name in self._global_tables:
            raise TopologyError(f"{site}: there is already a global table with the store {store.name!r}")
        known = self._stores.get(store.name)
        if known is not None and not (shared and known == store):
            raise TopologyError(f"{site}: there is already another store named {store.name!r}; give another store=")
        self._stores[store.name] = store
        self._store_sites.setdefault(store.name, site)

    def store(self, name: str) -> StoreSpec:
        return self._stores[name]

    def has_store(self, name: str) -> bool:
        return name in self._stores

    def has_global_table(self, store: str) -> bool:
        return store in self._global_tables

    def global_table(self, store: str) -> StoreSpec:
        return self._global_tables[store].store

    def add_global_table(self, table: GlobalTable) -> None:
        if table.store.name in self._global_tables or table.store.name in self._stores:
            raise TopologyError(
                f"{table.site}: there is already a store named {table.store.name!r}; give another store="
            )
        self._global_tables[table.store.name] = table

    def repartition(
        self,
        parent: str,
        topic: RepartitionTopic,
        serdes: tuple[Serde[Any], Serde[Any]],
        site: CallSite,
    ) -> str:
        """Send a stream through the internal topic `<app>-<topic>`; returns the node that reads it.

        Unless the topic's name is a generated one, its nodes are named after it; their indices are burned all the same
        (rule N7).
        """
        key, value = serdes
        self.add_repartition_topic(topic, site)
        named = _GENERATED.fullmatch(topic.name) is None
        sink, present, source = (
            self.name(f"KSTREAM-{kind}", f"{topic.name}-{kind.lower()}" if named else None)
            for kind in ("SINK", "FILTER", "SOURCE")
        )
        self.add(KeyPresent(name=present, parents=(parent,), site=site))
        self.add(
            Sink(
                name=sink,
                parents=(present,),
                site=site,
                topic=topic.name,
                key=key,
                value=value,
                internal=True,
                partitioner=topic.partitioner,
            )
        )
        return self.add(
            Source(name=source, parents=(), site=site, topics=(topic.name,), key=key, value=value, internal=True)
        )

    def shared_repartition(self, parent: str, topic: RepartitionTopic) -> str | None:
        """The node that reads this topic, if the stream goes through it already for an earlier operator of its.

        Kafka Streams burns the indices all the same.
        """
        source = self.source_of(topic.name)
        if topic.name not in self._repartition_topics or source is None or not self._feeds(parent, topic.name):
            return None
        return self._shared(source.name)

    def joined_through(self, stream: str) -> str | None:
        """The node that reads the last topic which a stream went through for a join, whatever that topic's name."""
        source = self.sources_for_joins.get(stream)
        return None if source is None else self._shared(source)

    def _shared(self, source: str) -> str:
        for kind in ("SINK", "FILTER", "SOURCE"):
            self.name(f"KSTREAM-{kind}")
        return source

    def _feeds(self, parent: str, topic: str) -> bool:
        sinks = (node for node in self._nodes.values() if isinstance(node, Sink) and node.internal)
        return any(sink.topic == topic and self._nodes[sink.parents[0]].parents == (parent,) for sink in sinks)

    def writers(self, node: Node) -> list[Sink]:
        """The sinks that write the internal topics which a node reads."""
        if not isinstance(node, Source) or not node.internal:
            return []
        sinks = (sink for sink in self._nodes.values() if isinstance(sink, Sink) and sink.internal)
        return [sink for sink in sinks if sink.topic in node.topics]

    def add_repartition_topic(self, topic: RepartitionTopic, site: CallSite) -> None:
        if not is_topic_name(topic.name):
            raise TopologyError(
                f"{site}: {topic.name!r} cannot name a topic; use up to 200 ASCII letters, digits, '.', '_' and '-'"
            )
        if topic.partitions is not None and topic.partitions < 1:
            raise TopologyError(f"{site}: partitions must be 1 or more, got {topic.partitions}")
        if topic.name in self._repartition_topics:
            raise TopologyError(f"{site}: there is already an internal topic named {topic.name!r}; give another name=")
        self._repartition_topics[topic.name] = topic

    def topology(self, rewrites: Iterable[str] = (), *, require_names: bool = False) -> Topology:
        """Validate and freeze what has been added so far, after the rewrites of these names."""
        if not self._nodes:
            raise TopologyError("the program has no stream or table; begin with app.stream(topic) or app.table(topic)")
        nodes, stores = tuple(self._nodes.values()), tuple(self._stores.values())
        self._refuse_unused(stores)
        tables = tuple(self._global_tables.values())
        draft = rewritten(Draft(nodes, stores, tables, self._repartition_topics, self.serdes), rewrites)
        if require_names:
            refuse_unnamed(draft, self._generated)
        topology = build_topology(draft.nodes, draft.stores, draft.global_tables, draft.repartition_topics)
        refuse_unlike_counts(topology)
        return topology

    def _refuse_unused(self, stores: Iterable[StoreSpec]) -> None:
        used = {name for node in self._nodes.values() for name in node.store_names}
        for store in stores:
            if store.name not in used:
                raise TopologyError(
                    f"{self._store_sites[store.name]}: nobody uses the store {store.name!r}; connect it to a "
                    "processor, or leave it out"
                )
