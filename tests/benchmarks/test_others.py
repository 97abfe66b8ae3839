"""Other libraries beside the two engines."""

from __future__ import annotations

import ast

import pytest
from benchmarks.measure import ROOT
from benchmarks.others import OTHERS, Other, named
from benchmarks.outputs import summary, windowed
from benchmarks.workloads import WORKLOADS

from benchmarks.results import others_table
from tests.benchmarks.results import result, side

KEY = b"k"


def time(number: int) -> bytes:
    return number.to_bytes(8, "big")


@pytest.mark.parametrize("other", OTHERS.values(), ids=list(OTHERS))
def test_every_workload_has_a_program_or_a_reason_why_not(other: Other) -> None:
    """Read, not imported: the library is in an environment of its own."""
    tree = ast.parse((ROOT / "benchmarks" / f"{other.module}.py").read_text())
    [programs] = [
        ast.literal_eval(ast.unparse(ast.List([key for key in node.value.keys if key is not None])))
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    ]
    assert sorted([*programs, *other.lacks]) == sorted(workload.name for workload in WORKLOADS)


def test_an_unknown_library_is_named() -> None:
    assert named(None) == []
    with pytest.raises(ValueError, match="no library flink; there are: quix, faust"):
        named("quix,flink")


def test_windows_are_put_into_the_key_as_kafka_streams_has_them() -> None:
    theirs = [(KEY, b'{"start":10,"end":20,"count":1}'), (KEY, b'{"start":10,"end":20,"count":2}')]
    kafka_streams = [(KEY + time(10), b'{"count":2}')]
    assert summary(windowed(theirs, "tumbling"), "last").same_as(summary(kafka_streams, "last"))


def test_a_session_that_grew_takes_the_place_of_what_it_was() -> None:
    theirs = [
        (KEY, b'{"start":10,"end":11,"count":1}'),
        (KEY, b'{"start":10,"end":15,"count":2}'),
        (KEY, b'{"start":90,"end":91,"count":1}'),
    ]
    kafka_streams = [(KEY + time(14) + time(10), b'{"count":2}'), (KEY + time(90) + time(90), b'{"count":1}')]
    assert summary(windowed(theirs, "session"), "last").same_as(summary(kafka_streams, "last"))


def test_another_library_has_its_columns_or_says_what_it_lacks() -> None:
    found = [result(others={"Faust": side()}), result(others={"Faust": "no join"})]
    head, _, ran, lacking = others_table(found).splitlines()
    assert "| Faust: records/s | CPU us | peak MB | same answers |" in head
    assert ran.endswith("| 1,000 | 2.00 | 90 | yes |")
    assert "| no join |" in lacking
    assert len({line.count("|") for line in (head, ran, lacking)}) == 1


def test_different_answers_of_another_library_are_a_difference() -> None:
    found = result(others={"Faust": side(answers=9)})
    assert not found.same
    assert found.agrees(found.ours)
    assert "**no**" in others_table([found])
