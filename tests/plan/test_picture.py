"""Pictures of a topology: everything is there once, and nothing that a name may hold breaks the notation."""

from __future__ import annotations

import re
from typing import Any

import millstream as ms
from millstream.plan.picture import dot, mermaid, picture
from millstream.plan.topology import Topology
from tests.driving import every


class Nothing:
    def process(self, record: ms.Message) -> None: ...


def quoted(_key: Any, value: Any) -> str:
    return str(value)


quoted.__qualname__ = '"<b>\\'


def large() -> Topology:
    """One of everything that looks different."""
    app = every()
    stream = app.stream("in.put", "in-put", value=str)
    rows, other, everywhere = app.table("rows", value=str), app.table("other", value=str), app.global_table("glob")
    keyed = stream.select_key(lambda v: v, name="by-value")
    counts = keyed.group_by_key(name="g").windowed_by(ms.tumbling("1m")).count(store="c.1")
    counts.suppress(ms.until_window_closes()).to_stream().to("counts")
    keyed.left_join(rows, lambda v, row: v).join(everywhere, lambda v, row: v, key=lambda v: v).to(quoted)
    keyed.outer_join(stream, lambda a, b: "", window=ms.join_window("5s")).to("out")
    rows.join(other, lambda a, b: a, foreign_key=lambda v: v).to_stream().to("out")
    parts = stream.split(name="p-").branch(lambda v: bool(v), name="hi").default_branch(name="lo")
    both = parts["p-hi"].merge(parts["p-lo"])
    both.process(Nothing, stores=[ms.key_value_store("c-1", value=int), ms.key_value_store("c_1")])
    return app.topology()


def test_every_node_store_and_topic_is_there_once() -> None:
    topology = large()
    labels = [(mark.shape, mark.label) for mark in picture(topology).marks]
    assert len(labels) == len(set(labels))
    (table,) = topology.global_tables
    assert {label for shape, label in labels if shape == "node"} == {
        *(node.name for node in topology.nodes),
        table.source,
        table.name,
    }
    assert {label for shape, label in labels if shape == "store"} == {
        *(store.name for store in topology.stores),
        table.store.name,
    }
    assert {label for shape, label in labels if shape == "internal"} == set(topology.repartition_topics)
    assert {label for shape, label in labels if shape == "topic"} == {
        "in.put",
        "in-put",
        "rows",
        "other",
        "glob",
        "counts",
        "out",
        'chosen by "<b>\\',
    }


def test_names_that_differ_have_different_marks() -> None:
    drawn = picture(large())
    assert len({mark.id for mark in drawn.marks}) == len(drawn.marks)
    assert {mark.id for mark in drawn.marks if mark.label in ("c.1", "c-1", "c_1")} == {
        "store_c_1",
        "store_c_1_1",
        "store_c_1_2",
    }


def test_lines_lead_from_mark_to_mark() -> None:
    drawn = picture(large())
    ids = {mark.id for mark in drawn.marks}
    assert all({arrow.start, arrow.end} <= ids for arrow in drawn.arrows)
    reached = {end for arrow in drawn.arrows for end in (arrow.start, arrow.end)}
    assert reached == ids


def test_a_look_up_in_a_global_table_is_drawn() -> None:
    drawn = picture(large())
    names = {mark.id: mark.label for mark in drawn.marks}
    lines = {(names[arrow.start], names[arrow.end]) for arrow in drawn.arrows if arrow.headless}
    (table,) = large().global_tables
    assert len([end for start, end in lines if start == table.store.name]) == 2, "the table's node, and the join"


def test_mermaid_quotes_what_it_must() -> None:
    said = mermaid(large())
    assert '(["chosen by #quot;#lt;b#gt;\\"])' in said
    for line in said.splitlines()[1:]:
        assert re.fullmatch(
            r' +(subgraph sub\d+\["[^"]*"\]|end|\w+(\["[^"]*"\]|\(\["[^"]*"\]\)|\[/"[^"]*"/\]|\[\("[^"]*"\)\])'
            r"|\w+ --[->] \w+)",
            line,
        ), line


def test_dot_quotes_what_it_must() -> None:
    said = dot(large())
    assert r'label="chosen by \"<b>\\"' in said
    text = r'"(?:[^"\\]|\\.)*"'
    for line in said.splitlines()[2:-1]:
        assert re.fullmatch(
            rf" +(subgraph cluster_\d+ {{ label={text};|}}|\w+ \[label={text}, shape=\w+(, style=dashed)?\];"
            r"|\w+ -> \w+( \[dir=none\])?;)",
            line,
        ), line
    assert said.count("{") == said.count("}")
