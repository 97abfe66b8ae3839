"""Which repartition topics belong to which change of the key, by Kafka Streams' own rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from millstream.plan.branches import Branch, Split
from millstream.plan.nodes import (
    Filter,
    FlatMap,
    FlatMapValues,
    GlobalJoin,
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
)
from millstream.plan.rewrites.draft import Draft
from millstream.plan.stream_joins import StreamJoin

KEY_CHANGING = (SelectKey, Map, FlatMap)
# what stands below these is not moved above them; a processor may do either
CHANGING = (*KEY_CHANGING, MapValues, MapValuesAsync, FlatMapValues)
_PASSING = (Filter, Peek, Split, Branch, Merge, GlobalJoin, MapValues, MapValuesAsync, FlatMapValues)


@dataclass(frozen=True, slots=True)
class Through:
    """One way through a repartition topic that an operator needs: its nodes, by name, and the topic's name."""

    present: str
    sink: str
    source: str
    topic: str

    @property
    def names(self) -> tuple[str, str, str]:
        return (self.present, self.sink, self.source)


class Lineage:
    """Who stands above whom, also across mergeable repartition topics: these count as one node, their source."""

    def __init__(self, draft: Draft) -> None:
        self.nodes = {node.name: node for node in draft.nodes}
        self.through = {each.source: each for each in _ways(draft)}

    def parents(self, name: str) -> tuple[str, ...]:
        way = self.through.get(name)
        return self.nodes[way.present if way else name].parents

    def find(self, name: str, wanted: Callable[[str], bool]) -> str | None:
        """The node itself, or one above it. Of several parents the last one's ancestors decide, as in Kafka Streams."""
        return name if wanted(name) else self._above(name, wanted, {})

    def _above(self, name: str, wanted: Callable[[str], bool], seen: dict[str, str | None]) -> str | None:
        if name in seen:
            return seen[name]
        found = None
        for parent in self.parents(name):
            if wanted(parent):
                found = parent
                break
            found = self._above(parent, wanted, seen)
        seen[name] = found
        return found

    def first_below(self, changer: str, name: str) -> set[str]:
        """The children of `changer` on the ways from it to a node."""
        seen, first, waiting = set[str](), set[str](), [name]
        while waiting:
            current = waiting.pop()
            if current in seen or current == changer:
                continue
            seen.add(current)
            if changer in self.parents(current):
                first.add(current)
            waiting += self.parents(current)
        return first

    def only_from(self, changer: str, name: str) -> bool:
        """Whether all that reaches a node comes from `changer`, under the key that it was given there.

        Kafka Streams doesn't ask: a stream that is merged in between would then not be repartitioned.
        """
        seen, waiting = {changer}, [name]
        while waiting:
            current = waiting.pop()
            above = self.parents(current)
            if not above or (current != name and not _keeps_key(self.nodes[current])):
                return False
            waiting += [parent for parent in above if parent not in seen]
            seen.update(above)
        return True


def key_changes(draft: Draft) -> Iterator[tuple[str, Sequence[Through]]]:
    """Each node that changes a key, or merges streams with changed keys, with the topics that may be merged there.

    A topic belongs to the nearest change of the key above it, unless values are changed in between: these would have
    to be written in a form that nobody declared.
    """
    lineage = Lineage(draft)
    below: dict[str, list[Through]] = {}
    for node in draft.nodes:
        if isinstance(node, KEY_CHANGING):
            below[node.name] = []
        elif (way := lineage.through.get(node.name)) is not None:
            changer = _key_changer(lineage, node.name)
            if changer is not None:
                below[changer].append(way)
    _move_to_merges(draft, lineage, below)
    taken: set[str] = set()
    for changer, ways in below.items():
        mergeable = [way for way in ways if way.source not in taken and lineage.only_from(changer, way.source)]
        if mergeable:
            taken |= {way.source for way in mergeable}
            yield changer, mergeable


def _ways(draft: Draft) -> Iterator[Through]:
    sources = {topic: node.name for node in draft.nodes if isinstance(node, Source) for topic in node.topics}
    for node in draft.nodes:
        if isinstance(node, Sink) and node.internal and draft.repartition_topics[node.topic].mergeable:
            yield Through(node.parents[0], node.name, sources[node.topic], node.topic)


def _key_changer(lineage: Lineage, name: str) -> str | None:
    def changes_key(above: str) -> bool:
        return isinstance(lineage.nodes[above], KEY_CHANGING)

    def changes(above: str) -> bool:
        node = lineage.nodes[above]
        return isinstance(node, CHANGING) or (isinstance(node, Process) and not node.fixed_key)

    found = lineage.find(name, changes_key)
    return found if found is not None and found == lineage.find(name, changes) else None


def _keeps_key(node: Node) -> bool:
    return isinstance(node, _PASSING) or (isinstance(node, Process) and node.fixed_key)


def _move_to_merges(draft: Draft, lineage: Lineage, below: dict[str, list[Through]]) -> None:
    """Topics of streams that are merged first are merged behind that: there they are one stream."""
    changers_of: dict[str, list[str]] = {}
    for node in draft.nodes:
        if not _merges_streams(lineage, node):
            continue
        changers_of[node.name] = [
            changer
            for changer, ways in below.items()
            if all(lineage.find(way.source, _child_of(lineage, node.name)) for way in ways)
            and lineage.find(node.name, _child_of(lineage, changer))
        ]
    merged = {name: [way for changer in found for way in below[changer]] for name, found in changers_of.items()}
    for changer in {changer for found in changers_of.values() for changer in found}:
        del below[changer]
    below |= merged


def _merges_streams(lineage: Lineage, node: Node) -> bool:
    """Merges of the user's, not those at the end of a join."""
    return isinstance(node, Merge) and not any(isinstance(lineage.nodes[parent], StreamJoin) for parent in node.parents)


def _child_of(lineage: Lineage, parent: str) -> Callable[[str], bool]:
    return lambda name: parent in lineage.parents(name)
