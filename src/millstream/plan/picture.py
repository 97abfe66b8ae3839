"""A topology as a picture in Mermaid or DOT: sub-topologies are boxes, topics lie between them, stores beside nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from millstream.plan.nodes import Sink, Source
from millstream.plan.topology import SubTopology, Topology

Shape: TypeAlias = Literal["node", "topic", "store"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something drawn; `box` is the number of the sub-topology that it stands in, None outside of all."""

    id: str
    label: str
    shape: Shape
    box: int | None = None


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line between two marks; a store's has no head."""

    start: str
    end: str
    headless: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn, in any notation."""

    marks: tuple[Mark, ...]
    arrows: tuple[Arrow, ...]


def picture(topology: Topology) -> Picture:
    """Marks and arrows of a topology; each topic and store is there once."""
    marks: dict[str, Mark] = {}
    arrows: list[Arrow] = []
    for sub in topology.subtopologies:
        for mark in _marks(sub):
            marks.setdefault(mark.id, mark)
        arrows += _arrows(sub)
    for table in topology.global_tables:
        for mark in (
            Mark(_id("topic", table.topic), table.topic, "topic"),
            Mark(_id("store", table.store.name), f"{table.store.name} (global)", "store", table.index),
        ):
            marks.setdefault(mark.id, mark)
        arrows.append(Arrow(_id("topic", table.topic), _id("store", table.store.name)))
    return Picture(tuple(marks.values()), tuple(arrows))


def mermaid(topology: Topology) -> str:
    """The picture in Mermaid's notation, which many Markdown viewers draw.

    >>> from millstream.dsl.program import Program
    >>> program = Program()
    >>> program.stream("lines").to("copies")
    >>> print(mermaid(program.topology()))
    flowchart TD
      subgraph sub0["Sub-topology 0"]
        node_KSTREAM_SOURCE_0000000000["KSTREAM-SOURCE-0000000000"]
        node_KSTREAM_SINK_0000000001["KSTREAM-SINK-0000000001"]
      end
      topic_lines(["lines"])
      topic_copies(["copies"])
      topic_lines --> node_KSTREAM_SOURCE_0000000000
      node_KSTREAM_SOURCE_0000000000 --> node_KSTREAM_SINK_0000000001
      node_KSTREAM_SINK_0000000001 --> topic_copies
    """
    brackets = {"node": ('["', '"]'), "topic": ('(["', '"])'), "store": ('[("', '")]')}
    drawn = picture(topology)
    lines = ["flowchart TD"]
    for box in sorted({mark.box for mark in drawn.marks if mark.box is not None}):
        lines.append(f'  subgraph sub{box}["Sub-topology {box}"]')
        lines += [f"    {m.id}{m.label.join(brackets[m.shape])}" for m in drawn.marks if m.box == box]
        lines.append("  end")
    lines += [f"  {m.id}{m.label.join(brackets[m.shape])}" for m in drawn.marks if m.box is None]
    lines += [f"  {a.start} {'---' if a.headless else '-->'} {a.end}" for a in drawn.arrows]
    return "\n".join(lines)


def dot(topology: Topology) -> str:
    """The picture in Graphviz's notation: `millstream topology qos.py --format dot | dot -Tsvg`."""
    shapes = {"node": "box", "topic": "cds", "store": "cylinder"}
    drawn = picture(topology)
    lines = ["digraph topology {", "  node [fontname=Helvetica];"]
    for box in sorted({mark.box for mark in drawn.marks if mark.box is not None}):
        lines.append(f'  subgraph cluster_{box} {{ label="Sub-topology {box}";')
        lines += [f'    {m.id} [label="{m.label}", shape={shapes[m.shape]}];' for m in drawn.marks if m.box == box]
        lines.append("  }")
    lines += [f'  {m.id} [label="{m.label}", shape={shapes[m.shape]}];' for m in drawn.marks if m.box is None]
    lines += [f"  {a.start} -> {a.end}{' [dir=none]' if a.headless else ''};" for a in drawn.arrows]
    return "\n".join([*lines, "}"])


def _marks(sub: SubTopology) -> Iterator[Mark]:
    for node in sub.nodes:
        yield Mark(_id("node", node.name), node.name, "node", sub.index)
    for store in sub.stores:
        yield Mark(_id("store", store.name), store.name, "store", sub.index)
    for topic in _topics(sub):
        yield Mark(_id("topic", topic), topic, "topic")


def _topics(sub: SubTopology) -> Iterator[str]:
    yield from sub.source_topics
    yield from (str(sink.topic) for sink in sub.sinks)


def _arrows(sub: SubTopology) -> Iterator[Arrow]:
    for node in sub.nodes:
        here = _id("node", node.name)
        if isinstance(node, Source):
            yield from (Arrow(_id("topic", topic), here) for topic in node.topics)
        yield from (Arrow(_id("node", parent), here) for parent in node.parents)
        yield from (Arrow(_id("store", store), here, headless=True) for store in node.store_names)
        if isinstance(node, Sink):
            yield Arrow(here, _id("topic", str(node.topic)))


def _id(kind: str, name: str) -> str:
    """A word that both notations take."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9]', '_', name)}"
