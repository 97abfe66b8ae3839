"""Where records without a key pass: repartition topics above a join that joins them with nothing (rule O6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from millstream.plan.nodes import GlobalJoin, KeyPresent, Node, Sink, Source, TableJoin
from millstream.plan.rewrites.draft import Draft
from millstream.plan.stream_joins import SelfJoin, StreamJoin


def let_null_keys_pass(draft: Draft) -> Draft:
    """Those above a left or outer join of a stream, however far, whatever stands between: as in Kafka Streams."""
    by_name = {node.name: node for node in draft.nodes}
    writers: dict[str, list[str]] = {}
    for node in draft.nodes:
        if isinstance(node, Sink) and node.internal:
            writers.setdefault(node.topic, []).append(node.name)
    above = _above([node.name for node in draft.nodes if _wants_them(node)], by_name, writers)
    return replace(
        draft,
        nodes=tuple(
            replace(node, null_keys=True) if isinstance(node, KeyPresent) and node.name in above else node
            for node in draft.nodes
        ),
    )


def _wants_them(node: Node) -> bool:
    match node:
        case TableJoin(left=left) | GlobalJoin(left=left) | SelfJoin(left=left):
            return left
        case StreamJoin(parked=parked):
            return parked is not None
        case _:
            return False


def _above(names: list[str], by_name: dict[str, Node], writers: dict[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    while names:
        node = by_name[names.pop()]
        if node.name not in seen:
            seen.add(node.name)
            names += [*node.parents, *_written_by(node, writers)]
    return seen


def _written_by(node: Node, writers: dict[str, list[str]]) -> Iterator[str]:
    if isinstance(node, Source) and node.internal:
        for topic in node.topics:
            yield from writers[topic]
