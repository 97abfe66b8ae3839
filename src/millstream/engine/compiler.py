"""From a sub-topology to nested closures: each node's function has its children's, its store and the user's bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from millstream.engine import (
    async_processors,
    branches,
    cogroup,
    foreign_key,
    joins,
    printing,
    processors,
    routed_sink,
    self_joins,
    stateless,
    stream_joins,
    table_groups,
    table_joins,
    table_transform,
    tables,
)
from millstream.engine.aggregate import aggregate
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.sink import sink
from millstream.engine.suppress import suppress
from millstream.plan.branches import Branch, Split
from millstream.plan.cogroup import CogroupMerge
from millstream.plan.foreign_key import Answer, AnswerAll, AnswerSink, Register, Resolve, Subscribe
from millstream.plan.late import LateRecords
from millstream.plan.nodes import (
    Aggregate,
    Filter,
    FlatMap,
    FlatMapValues,
    GlobalJoin,
    KeyPresent,
    Map,
    MapValues,
    MapValuesAsync,
    Merge,
    Node,
    Peek,
    Process,
    SelectKey,
    Sink,
    Source,
    TableJoin,
    TableNode,
    TableSource,
    ToStream,
)
from millstream.plan.sinks import Print, RoutedSink
from millstream.plan.stream_joins import JoinRow, SelfJoin, StreamJoin
from millstream.plan.suppress import Suppress
from millstream.plan.tables import (
    TableAggregate,
    TableFilter,
    TableMapValues,
    TableMerge,
    TableSelect,
    TableTableJoin,
    TableTransform,
)
from millstream.plan.topology import SubTopology


def into_topic(node: Sink, downstream: Downstream, parts: Parts) -> NodeFunction:
    """The default partitioner's way is the short one."""
    if node.partitioner is None:
        return sink(node, downstream, parts)
    return routed_sink.partitioned_sink(node, node.partitioner, parts)


NodeCompiler = Callable[[Any, Downstream, Parts], NodeFunction]

COMPILERS: Mapping[type[Node], NodeCompiler] = {
    Aggregate: aggregate,
    Answer: foreign_key.answer,
    AnswerAll: foreign_key.answer_all,
    AnswerSink: foreign_key.answer_sink,
    Branch: branches.branch,
    CogroupMerge: cogroup.cogroup_merge,
    Filter: stateless.filter_node,
    FlatMap: stateless.flat_map,
    FlatMapValues: stateless.flat_map_values,
    GlobalJoin: joins.global_join,
    JoinRow: stream_joins.join_row,
    KeyPresent: stateless.key_present,
    LateRecords: lambda _node, downstream, _parts: downstream.forward,
    Map: stateless.map_node,
    MapValues: stateless.map_values,
    MapValuesAsync: async_processors.map_values_async,
    Merge: stateless.merge,
    Peek: stateless.peek,
    Print: printing.print_node,
    Process: processors.process,
    Register: foreign_key.register,
    Resolve: foreign_key.resolve,
    RoutedSink: routed_sink.routed_sink,
    SelectKey: stateless.select_key,
    SelfJoin: self_joins.self_join,
    Sink: into_topic,
    Source: lambda _node, downstream, _parts: downstream.forward,
    Split: branches.split,
    StreamJoin: stream_joins.stream_join,
    Subscribe: foreign_key.subscribe,
    Suppress: suppress,
    TableAggregate: table_groups.table_aggregate,
    TableFilter: tables.table_filter,
    TableJoin: joins.table_join,
    TableMapValues: tables.table_map_values,
    TableMerge: table_joins.table_merge,
    TableSelect: table_groups.table_select,
    TableTransform: table_transform.table_transform,
    TableTableJoin: table_joins.table_table_join,
    TableSource: tables.table_source,
    ToStream: tables.to_stream,
}


def compile_nodes(sub: SubTopology, parts: Parts) -> dict[str, NodeFunction]:
    """The function of every node. Children are compiled before their parents, so the lists in `parts`, which are used
    from parents to children, are turned round at the end.
    """
    functions: dict[str, NodeFunction] = {}
    for node in reversed(sub.nodes):
        below = [child for child in sub.nodes if node.name in child.parents]
        late = next((functions[child.name] for child in below if isinstance(child, LateRecords)), None)
        children = {child.name: functions[child.name] for child in below if not isinstance(child, LateRecords)}
        together = fan_out_updates if isinstance(node, TableNode) else fan_out
        apart = parts.apart.get(next(iter(children))) if len(children) == 1 else None
        vanished = parts.vanished.get(node.name, ())
        downstream = Downstream(together(tuple(children.values())), children, late, vanished, apart)
        functions[node.name] = COMPILERS[type(node)](node, downstream, parts)
    parts.idle.timers.reverse()
    parts.starts.reverse()
    parts.flushes.reverse()
    parts.settles.reverse()
    parts.closes.reverse()
    return functions


def fan_out(children: Sequence[NodeFunction]) -> NodeFunction:
    """All children as one function, called in the order of attachment (rule O1)."""
    if len(children) == 1:
        return children[0]

    def nothing(_key: Any, _value: Any, _timestamp: int) -> None:
        pass

    def both(key: Any, value: Any, timestamp: int) -> None:
        first(key, value, timestamp)
        second(key, value, timestamp)

    def all_of_them(key: Any, value: Any, timestamp: int) -> None:
        for child in children:
            child(key, value, timestamp)

    if not children:
        return nothing
    if len(children) == 2:
        first, second = children
        return both
    return all_of_them


def fan_out_updates(children: Sequence[NodeFunction]) -> NodeFunction:
    """The children of a table as one function."""
    if len(children) == 1:
        return children[0]

    def all_of_them(key: Any, new: Any, old: Any, timestamp: int) -> None:
        for child in children:
            child(key, new, old, timestamp)

    return all_of_them
