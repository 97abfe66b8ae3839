"""A topology as Kafka Streams' test driver runs it without a cache: every update is passed on (rule E1)."""

from __future__ import annotations

from dataclasses import replace

from millstream.plan.nodes import Aggregate, Node, TableNode, ToStream
from millstream.plan.topology import Topology


def every_update(topology: Topology) -> Topology:
    """The same topology, whatever its tables were told to emit."""
    subs = tuple(replace(sub, nodes=tuple(_every(node) for node in sub.nodes)) for sub in topology.subtopologies)
    return replace(topology, subtopologies=subs, nodes=tuple(_every(node) for node in topology.nodes))


def _every(node: Node) -> Node:
    if isinstance(node, Aggregate):
        return replace(node, emit="every", cached=False)
    return replace(node, emit="every") if isinstance(node, TableNode | ToStream) else node
