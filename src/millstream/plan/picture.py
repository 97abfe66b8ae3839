"""A topology as a picture in Mermaid or DOT: sub-topologies are boxes, topics lie between them, stores beside nodes."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeAlias

from millstream.plan.nodes import GlobalJoin, GlobalTable, Sink, Source
from millstream.plan.sinks import RoutedSink
from millstream.plan.topology import SubTopology, Topology

Shape: TypeAlias = Literal["node", "topic", "internal", "store"]
Identify: TypeAlias = Callable[[str, str], str]


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
    """What is to be drawn, in any notation; `boxes` are titles of sub-topologies by their numbers."""

    boxes: dict[int, str]
    marks: tuple[Mark, ...]
    arrows: tuple[Arrow, ...]


def picture(topology: Topology) -> Picture:
    """Marks and arrows of a topology; each topic and store is there once."""
    identify = _identify()
    marks: dict[str, Mark] = {}
    arrows: list[Arrow] = []
    boxes: dict[int, str] = {}
    for sub in topology.subtopologies:
        boxes[sub.index] = f"Sub-topology {sub.index}"
        marks |= {mark.id: mark for mark in _marks(sub, identify) if mark.id not in marks}
        arrows += _arrows(sub, identify)
    for table in topology.global_tables:
        boxes[table.index] = f"Sub-topology {table.index} (global)"
        marks |= {mark.id: mark for mark in _global_marks(table, identify) if mark.id not in marks}
        arrows += _global_arrows(table, identify)
    return Picture(dict(sorted(boxes.items())), tuple(marks.values()), tuple(arrows))


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
    brackets = {"node": ('["', '"]'), "topic": ('(["', '"])'), "internal": ('[/"', '"/]'), "store": ('[("', '")]')}
    drawn = picture(topology)

    def shown(mark: Mark) -> str:
        # inside of quotes, Mermaid takes HTML's entities with # for &
        return f"{mark.id}{html.escape(mark.label).replace('&', '#').join(brackets[mark.shape])}"

    lines = ["flowchart TD"]
    for box, title in drawn.boxes.items():
        lines.append(f'  subgraph sub{box}["{title}"]')
        lines += [f"    {shown(mark)}" for mark in drawn.marks if mark.box == box]
        lines.append("  end")
    lines += [f"  {shown(mark)}" for mark in drawn.marks if mark.box is None]
    lines += [f"  {a.start} {'---' if a.headless else '-->'} {a.end}" for a in drawn.arrows]
    return "\n".join(lines)


def dot(topology: Topology) -> str:
    """The picture in Graphviz's notation: `millstream topology qos.py --format dot | dot -Tsvg`."""
    shapes = {"node": "box", "topic": "cds", "internal": "cds, style=dashed", "store": "cylinder"}
    drawn = picture(topology)

    def shown(mark: Mark) -> str:
        label = mark.label.replace("\\", "\\\\").replace('"', '\\"')
        return f'{mark.id} [label="{label}", shape={shapes[mark.shape]}];'

    lines = ["digraph topology {", "  node [fontname=Helvetica];"]
    for box, title in drawn.boxes.items():
        lines.append(f'  subgraph cluster_{box} {{ label="{title}";')
        lines += [f"    {shown(mark)}" for mark in drawn.marks if mark.box == box]
        lines.append("  }")
    lines += [f"  {shown(mark)}" for mark in drawn.marks if mark.box is None]
    lines += [f"  {a.start} -> {a.end}{' [dir=none]' if a.headless else ''};" for a in drawn.arrows]
    return "\n".join([*lines, "}"])


def _marks(sub: SubTopology, identify: Identify) -> Iterator[Mark]:
    for node in sub.nodes:
        yield Mark(identify("node", node.name), node.name, "node", sub.index)
    for store in sub.stores:
        yield Mark(identify("store", store.name), store.name, "store", sub.index)
    for node in sub.nodes:
        match node:
            case Source(topics=topics, internal=internal):
                yield from (Mark(identify("topic", t), t, "internal" if internal else "topic") for t in topics)
            case Sink(topic=topic, internal=internal):
                yield Mark(identify("topic", topic), topic, "internal" if internal else "topic")
            case RoutedSink(topic_of=topic_of):
                yield Mark(identify("topics of", node.name), f"chosen by {topic_of.label}", "topic")
            case _:
                pass


def _arrows(sub: SubTopology, identify: Identify) -> Iterator[Arrow]:
    for node in sub.nodes:
        here = identify("node", node.name)
        if isinstance(node, Source):
            yield from (Arrow(identify("topic", topic), here) for topic in node.topics)
        yield from (Arrow(identify("node", parent), here) for parent in node.parents)
        looked_up = (node.store,) if isinstance(node, GlobalJoin) else node.store_names
        yield from (Arrow(identify("store", store), here, headless=True) for store in looked_up)
        if isinstance(node, Sink):
            yield Arrow(here, identify("topic", node.topic))
        elif isinstance(node, RoutedSink):
            yield Arrow(here, identify("topics of", node.name))


def _global_marks(table: GlobalTable, identify: Identify) -> Iterator[Mark]:
    for name in (table.source, table.name):
        yield Mark(identify("node", name), name, "node", table.index)
    yield Mark(identify("store", table.store.name), table.store.name, "store", table.index)
    yield Mark(identify("topic", table.topic), table.topic, "topic")


def _global_arrows(table: GlobalTable, identify: Identify) -> Iterator[Arrow]:
    source, node = identify("node", table.source), identify("node", table.name)
    yield Arrow(identify("topic", table.topic), source)
    yield Arrow(source, node)
    yield Arrow(identify("store", table.store.name), node, headless=True)


def _identify() -> Identify:
    """Words that both notations take, by kind and name: `a-b` and `a.b` have different ones."""
    known: dict[tuple[str, str], str] = {}

    def identify(kind: str, name: str) -> str:
        if (kind, name) not in known:
            word = re.sub(r"[^A-Za-z0-9]", "_", f"{kind}_{name}")
            taken = known.values()
            known[kind, name] = next(
                each for number in count() if (each := f"{word}_{number}" if number else word) not in taken
            )
        return known[kind, name]

    return identify
