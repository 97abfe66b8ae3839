"""A topology in words, in the form of Kafka Streams' `Topology.describe()`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from millstream.plan.java_order import TreeOrder, hash_order
from millstream.plan.nodes import GlobalTable, Node, Sink, Source
from millstream.plan.sinks import RoutedSink
from millstream.plan.topology import SubTopology, Topology


def describe(topology: Topology) -> str:
    """Sub-topologies with their sources, processors and sinks, word for word as Kafka Streams describes them."""
    parts = {sub.index: [f"Sub-topology: {sub.index}", *_sub_topology(sub), ""] for sub in topology.subtopologies}
    for table in topology.global_tables:
        title = f"Sub-topology: {table.index} for global store (will not generate tasks)"
        parts[table.index] = [title, *_global_table(table)]
    lines = ["Topologies:"]
    for number in sorted(parts):
        title, *rest = parts[number]
        lines += [f"{_indent(lines)}{title}", *rest]
    return "\n".join(lines)


def _indent(lines: Sequence[str]) -> str:
    return "   " if len(lines) == 1 else "  "


def _sub_topology(sub: SubTopology) -> Iterable[str]:
    around = Neighbours(sub)
    for node in sorted(sub.nodes, key=lambda node: (-around.sizes[node.name], node.name)):
        yield f"    {_title(node)}"
        if not isinstance(node, Sink | RoutedSink):
            yield f"      --> {', '.join(around.below[node.name]) or 'none'}"
        if not isinstance(node, Source):
            yield f"      <-- {', '.join(around.above[node.name])}"


class Neighbours:
    """Who stands above and below whom, and how many stand below each, it included, one for each way to it.

    Kafka Streams sorts neighbours by these sizes while they still grow, as it goes through the nodes in a hash's order.
    """

    def __init__(self, sub: SubTopology) -> None:
        self._nodes = sub.nodes
        self.sizes = {node.name: 1 for node in sub.nodes}
        self.above = {name: TreeOrder(self._compare) for name in self.sizes}
        self.below = {name: TreeOrder(self._compare) for name in self.sizes}
        parents = {node.name: node.parents for node in sub.nodes}
        for name in hash_order(self.sizes):
            for parent in parents[name]:
                self.above[name].add(parent)
                self.below[parent].add(name)
                self._grow(parent, self.sizes[name])

    def _compare(self, one: str, other: str) -> int:
        difference = self.sizes[other] - self.sizes[one]
        return difference or (one > other) - (one < other)

    def _grow(self, name: str, by: int) -> None:
        """A node and all those known to be above it have so many more below them."""
        more = {name: by}
        for node in reversed(self._nodes):
            added = more.pop(node.name, 0)
            if added:
                self.sizes[node.name] += added
                for parent in self.above[node.name]:
                    more[parent] = more.get(parent, 0) + added


def _title(node: Node) -> str:
    match node:
        case Source(topics=topics):
            return f"Source: {node.name} (topics: [{', '.join(hash_order(topics))}])"
        case Sink(topic=topic):
            return f"Sink: {node.name} (topic: {topic})"
        case RoutedSink(topic_of=topic_of):
            return f"Sink: {node.name} (extractor class: {topic_of.label})"
        case _:
            return f"Processor: {node.name} (stores: [{', '.join(hash_order(node.store_names))}])"


def _global_table(table: GlobalTable) -> Iterable[str]:
    yield f"    Source: {table.source} (topics: [{table.topic}])"
    yield f"      --> {table.name}"
    yield f"    Processor: {table.name} (stores: [{table.store.name}])"
    yield "      --> none"
    yield f"      <-- {table.source}"
