"""A plan's fingerprint: equal for programs whose tasks mean the same, so that workers notice a different release."""

from __future__ import annotations

import hashlib

from millstream.plan.aggregation import Declared
from millstream.plan.nodes import Aggregate, Node, Sink, Source
from millstream.plan.tables import TableAggregate
from millstream.plan.topology import SubTopology, Topology


def fingerprint(topology: Topology) -> str:
    """16 hexadecimal digits over the shape: sub-topologies, nodes, edges, topics, stores and their serdes.

    The user's functions are not in it: a changed lambda reads the same topics into the same stores.
    """
    lines = [line for sub in topology.subtopologies for line in _lines(sub)]
    lines += [f"global {table.topic} {table.store.name}" for table in topology.global_tables]
    lines += [f"repartition {topic.name} {topic.partitions}" for topic in topology.repartition_topics.values()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _lines(sub: SubTopology) -> list[str]:
    lines = [f"{sub.index} {type(node).__name__} {node.name} < {node.parents} {_detail(node)}" for node in sub.nodes]
    lines += [
        f"{sub.index} store {store.name} {store.kind} {store.key.name} {store.value.name} {store.retention_ms}"
        for store in sub.stores
    ]
    lines += [f"{sub.index} {store.name} is {store.source_topic}" for store in sub.stores if store.source_topic]
    return lines


def _detail(node: Node) -> str:
    match node:
        case Source(topics=topics, key=key, value=value) | Sink(topic=topics, key=key, value=value):
            return f"{topics} {key.name} {value.name}"
        case Aggregate(aggregation=Declared(columns=columns), store=store, windows=windows):
            return f"{store} {windows} {[(column.name, column.kind, column.setting) for column in columns]}"
        case TableAggregate(aggregation=Declared(columns=columns), store=store):
            return f"{store} {[(column.name, column.kind, column.setting) for column in columns]}"
        case Aggregate(aggregation=aggregation, store=store, windows=windows):
            return f"{store} {windows} {type(aggregation).__name__}"
        case _:
            return " ".join(node.store_names)
