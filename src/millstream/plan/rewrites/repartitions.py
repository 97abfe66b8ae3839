"""Repartition topics of one key-changed stream become one, right after the key was changed (rule O5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from millstream.plan.nodes import KeyPresent, Node, RepartitionTopic, Sink, Source
from millstream.plan.rewrites.draft import Draft
from millstream.plan.rewrites.key_changes import Lineage, Through, key_changes


def merge_repartition_topics(draft: Draft) -> Draft:
    """Which topics belong to which change of the key is told by `key_changes`; what they are is told here."""
    for changer, merged in key_changes(draft):
        draft = _merged(draft, changer, merged)
    return draft


def _merged(draft: Draft, changer: str, merged: Sequence[Through]) -> Draft:
    """The topics of `merged` as one, which is named after the first and reads what `changer` passes on.

    Everything between the changer and these topics now stands behind the new one.
    """
    lineage = Lineage(draft)
    topic = RepartitionTopic(merged[0].topic, mergeable=True)
    new = _nodes_of(draft, changer, topic, _present(draft, merged[0]))
    source = new[-1].name
    gone = {name for each in merged for name in each.names}
    moved = {name for each in merged for name in lineage.first_below(changer, each.source)} - gone
    instead = {
        each.source: tuple(source if p == changer else p for p in lineage.parents(each.source)) for each in merged
    }
    nodes: list[Node] = []
    for node in draft.nodes:
        if node.name in gone:
            continue
        swap = {**instead, changer: (source,)} if node.name in moved else instead
        nodes.append(_with_parents(node, [found for parent in node.parents for found in swap.get(parent, (parent,))]))
        if node.name == changer:
            nodes += new
    topics = {each.name: each for each in draft.repartition_topics.values() if each.name not in _topics(merged)}
    return replace(draft.with_nodes(nodes), repartition_topics={**topics, topic.name: topic})


def _nodes_of(draft: Draft, changer: str, topic: RepartitionTopic, model: KeyPresent) -> tuple[Node, ...]:
    key, value = draft.serdes[changer]
    present, sink, source = (f"{topic.name}-{kind}" for kind in ("filter", "sink", "source"))
    return (
        KeyPresent(name=present, parents=(changer,), site=model.site),
        Sink(name=sink, parents=(present,), site=model.site, topic=topic.name, key=key, value=value, internal=True),
        Source(name=source, parents=(), site=model.site, topics=(topic.name,), key=key, value=value, internal=True),
    )


def _present(draft: Draft, through: Through) -> KeyPresent:
    found = next(node for node in draft.nodes if node.name == through.present)
    assert isinstance(found, KeyPresent)
    return found


def _topics(merged: Iterable[Through]) -> set[str]:
    return {each.topic for each in merged}


def _with_parents(node: Node, parents: Sequence[str]) -> Node:
    found = tuple(dict.fromkeys(parents))
    return node if found == node.parents else replace(node, parents=found)
