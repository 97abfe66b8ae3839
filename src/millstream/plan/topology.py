"""The topology as the runtime sees it: sub-topologies, their topics and stores, and how many tasks each has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from millstream.errors import TopologyError
from millstream.plan.nodes import (
    GlobalTable,
    Map,
    MapValues,
    MapValuesAsync,
    Merge,
    Node,
    Peek,
    RepartitionTopic,
    SelectKey,
    Sink,
    Source,
    StoreSpec,
)

_PASSING_ALL = (Map, MapValues, MapValuesAsync, SelectKey, Peek, Merge)


@dataclass(frozen=True, slots=True)
class SubTopology:
    """One connected component: topics do not connect, edges and shared stores do (rule N18)."""

    index: int
    nodes: tuple[Node, ...]  # parents before children, in the order in which they were added
    stores: tuple[StoreSpec, ...]

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(node for node in self.nodes if isinstance(node, Source))

    @property
    def sinks(self) -> tuple[Sink, ...]:
        return tuple(node for node in self.nodes if isinstance(node, Sink))

    @property
    def source_topics(self) -> tuple[str, ...]:
        """Topics read by its tasks, as the user named them: an internal topic without the application's prefix."""
        return tuple(topic for source in self.sources for topic in source.topics)


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole program, validated and frozen."""

    subtopologies: tuple[SubTopology, ...]
    nodes: tuple[Node, ...]
    stores: tuple[StoreSpec, ...]
    global_tables: tuple[GlobalTable, ...]
    repartition_topics: Mapping[str, RepartitionTopic]  # by name, without the application's prefix

    def subtopology(self, index: int) -> SubTopology:
        """The sub-topology with that number; numbers of global tables have none."""
        return next(sub for sub in self.subtopologies if sub.index == index)


def as_one(topology: Topology) -> SubTopology:
    """All sub-topologies as one, the way Kafka Streams' test driver runs them (rule D1)."""
    return SubTopology(0, topology.nodes, topology.stores)


def build_topology(
    nodes: Sequence[Node],
    stores: Sequence[StoreSpec],
    global_tables: Sequence[GlobalTable],
    repartition_topics: Mapping[str, RepartitionTopic],
) -> Topology:
    """Validate, and cut into sub-topologies.

    These are the components joined by edges and shared stores, numbered in the order of their first sources, which for
    generated names is the order of the smallest source's name (rule N18). Global tables are numbered too.
    """
    _refuse_overlapping_sources(nodes, global_tables)
    _refuse_endless_loops(nodes)
    group_of = _components(nodes)
    used = {store for node in nodes for store in node.store_names}
    kept = tuple(store for store in stores if store.name in used)
    parts: dict[str, list[Node]] = {}
    for node in nodes:
        parts.setdefault(group_of[node.name], []).append(node)
    first_source: dict[str, float] = {
        group_of[node.name]: place for place, node in reversed([*enumerate(nodes)]) if isinstance(node, Source)
    }
    places_between = [table.after - 0.5 + number / 1e6 for number, table in enumerate(global_tables)]
    numbers = {place: index for index, place in enumerate(sorted([*first_source.values(), *places_between]))}
    subtopologies = tuple(
        SubTopology(numbers[first_source[group]], tuple(parts[group]), _stores_in(parts[group], kept))
        for group in sorted(parts, key=lambda group: first_source[group])
    )
    tables = tuple(
        replace(table, index=numbers[place]) for place, table in zip(places_between, global_tables, strict=True)
    )
    return Topology(subtopologies, tuple(nodes), kept, tables, dict(repartition_topics))


def _stores_in(part: Sequence[Node], stores: Sequence[StoreSpec]) -> tuple[StoreSpec, ...]:
    used = {store for node in part for store in node.store_names}
    return tuple(store for store in stores if store.name in used)


def _components(nodes: Sequence[Node]) -> dict[str, str]:
    """Each node's representative, by union-find over edges and stores."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for node in nodes:
        find(node.name)
        for other in (*node.parents, *(f"store {store}" for store in node.store_names)):
            leader[find(other)] = find(node.name)
    return {node.name: find(node.name) for node in nodes}


def _refuse_endless_loops(nodes: Sequence[Node]) -> None:
    """A topic written back into itself where nothing between could ever end it: each record comes round for good."""
    by_name = {node.name: node for node in nodes}
    for sink in nodes:
        if not isinstance(sink, Sink) or sink.internal:
            continue
        waiting, seen = list(sink.parents), set(sink.parents)
        while waiting:
            above = by_name[waiting.pop()]
            if isinstance(above, Source) and sink.topic in above.topics:
                raise TopologyError(
                    f"{sink.site}: every record of topic {sink.topic!r} is written to {sink.topic!r} again and comes "
                    f"back to {above.site}, without end; write to another topic, or filter what has been round"
                )
            if isinstance(above, _PASSING_ALL):
                waiting += [parent for parent in above.parents if parent not in seen]
                seen.update(above.parents)


def _refuse_overlapping_sources(nodes: Sequence[Node], global_tables: Sequence[GlobalTable]) -> None:
    """A topic is read once; sources that share some topics only cannot be co-partitioned (rule O9)."""
    seen: dict[str, Source | GlobalTable] = {table.topic: table for table in global_tables}
    for node in nodes:
        if not isinstance(node, Source):
            continue
        for topic in node.topics:
            if topic in seen:
                raise TopologyError(
                    f"{node.site}: topic {topic!r} is already read by {seen[topic].site}; read it once and use that "
                    "stream or table in both places"
                )
            seen[topic] = node
