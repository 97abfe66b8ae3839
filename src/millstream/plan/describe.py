"""A topology in words, in the form of Kafka Streams' `Topology.describe()`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from millstream.plan.nodes import GlobalTable, Node, Sink, Source
from millstream.plan.sinks import RoutedSink
from millstream.plan.topology import SubTopology, Topology


def describe(topology: Topology) -> str:
    """Sub-topologies with their sources, processors and sinks; larger subtrees stand first, as in Kafka Streams."""
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
    children = {node.name: [child.name for child in sub.nodes if node.name in child.parents] for node in sub.nodes}
    sizes: dict[str, int] = {}
    for node in reversed(sub.nodes):
        sizes[node.name] = 1 + sum(sizes[child] for child in children[node.name])
    for node in sorted(sub.nodes, key=lambda node: (-sizes[node.name], node.name)):
        yield f"    {_title(node)}"
        if not isinstance(node, Sink | RoutedSink):
            below = sorted(children[node.name], key=lambda name: (-sizes[name], name))
            yield f"      --> {', '.join(below) or 'none'}"
        if not isinstance(node, Source):
            yield f"      <-- {', '.join(node.parents)}"


def _title(node: Node) -> str:
    match node:
        case Source(topics=topics):
            return f"Source: {node.name} (topics: [{', '.join(topics)}])"
        case Sink(topic=topic):
            return f"Sink: {node.name} (topic: {topic})"
        case RoutedSink(topic_of=topic_of):
            return f"Sink: {node.name} (extractor class: {topic_of.label})"
        case _:
            return f"Processor: {node.name} (stores: [{', '.join(sorted(node.store_names))}])"


def _global_table(table: GlobalTable) -> Iterable[str]:
    yield f"    Source: {table.source} (topics: [{table.topic}])"
    yield f"      --> {table.name}"
    yield f"    Processor: {table.name} (stores: [{table.store.name}])"
    yield "      --> none"
    yield f"      <-- {table.source}"
