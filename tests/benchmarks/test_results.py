"""The table and the chart of a comparison."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from benchmarks.chart import chart

from benchmarks.results import HEADINGS, table
from tests.benchmarks.results import result

SVG = "{http://www.w3.org/2000/svg}"


def test_the_ratio_is_the_warm_jvm_to_our_whole_run() -> None:
    assert result().ratio == 1.5


def test_without_a_second_half_the_ratio_takes_the_whole_run() -> None:
    assert result(late_cpu_us=None).ratio == 2.0


def test_the_table_has_a_row_for_each_result_and_a_cell_for_each_heading() -> None:
    head, _, *rows = table([result(), result()]).splitlines()
    assert [head.count("|")] * 2 == [row.count("|") for row in rows] == [len(HEADINGS) + 1] * 2
    assert "| 1.50 | 2.3 | 12 / 15 | yes, 10 |" in rows[0]


def test_different_answers_stand_out_in_the_table() -> None:
    found = result(jvm_answers=9)
    assert not found.same
    assert "**no**: 9 and 10" in table([found])


def test_bars_are_as_long_as_the_cost_they_show() -> None:
    drawn = ElementTree.fromstring(chart([result()], "a caption"))
    widths = [float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect") if bar.attrib.get("height") == "15"]
    longest = max(widths)
    assert [width / longest for width in widths] == pytest.approx([1.0, 0.75, 0.5], abs=0.01)


def test_captions_are_text_not_markup() -> None:
    drawn = ElementTree.fromstring(chart([result()], "a < b & c"))
    assert "a < b & c" in [text.text for text in drawn.iter(f"{SVG}text")]
