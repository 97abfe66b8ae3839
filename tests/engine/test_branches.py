"""Splits: named branches, a default one or none (O2, N17)."""

from __future__ import annotations

from functools import partial

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import TopologyError
from tests.driving import Driven, every


def labelled(name: str, value: str) -> str:
    return f"{name}:{value}"


def test_the_first_predicate_that_holds_takes_the_record() -> None:  # O2
    app = every()
    split = app.stream("in", value=str).split().branch(lambda v: v < "c", name="low").branch(lambda v: v < "m")
    parts = split.default_branch()
    for name, stream in parts.items():
        stream.map_values(partial(labelled, name), value=str).to("out")
    assert list(parts) == ["low", "2", "0"]
    assert Driven(app).says("in k a 1", "in k d 2", "in k z 3") == ["k=low:a@1", "k=2:d@2", "k=0:z@3"]


def test_without_a_default_branch_the_rest_is_dropped() -> None:  # O2
    app = every()
    parts = app.stream("in", value=str).split().branch(lambda k, v: k == "x" and v is None, name="b").no_default()
    parts["b"].to("out")
    assert Driven(app).says("in x - 1", "in x v 2", "in - v 3") == ["x=null@1"]


def test_branches_as_a_tuple() -> None:  # O2
    app = every()
    low, middle, rest = app.stream("in", value=str).branches(lambda v: v < "c", lambda v: v < "m")
    low.map_values(str.upper, value=str).merge(rest).to("out")
    middle.to("middle")
    run = Driven(app)
    assert run.says("in k a 1", "in k z 2", "in k d 3") == ["k=A@1", "k=z@2"]
    assert run.out("middle") == ["k=d@3"]


def test_what_is_made_of_a_branch_stands_in_its_place() -> None:  # O2
    app = every()
    split = app.stream("in", value=str).split()
    split.branch(lambda v: v < "c", name="low", then=lambda s: s.map_values(str.upper, value=str))
    split.branch(lambda v: v < "m", name="middle", then=lambda s: s.to("middle"))
    parts = split.default_branch(name="high", then=lambda s: s.map_values(lambda v: v + "!", value=str))
    assert list(parts) == ["low", "high"]
    for stream in parts.values():
        stream.to("out")
    run = Driven(app)
    assert run.says("in k a 1", "in k d 2", "in k z 3") == ["k=A@1", "k=z!@3"]
    assert run.out("middle") == ["k=d@2"]


def test_a_label_is_given_once_even_if_its_branch_has_ended() -> None:
    split = every().stream("in", value=str).split().branch(bool, name="a", then=lambda s: s.to("out"))
    with pytest.raises(TopologyError, match="there is already a branch named 'a'"):
        split.branch(bool, name="a")
    with pytest.raises(TopologyError, match=r"branch at .*then= makes a stream of a branch, or nothing, got 5"):
        split.branch(bool, name="b", then=lambda s: 5)  # type: ignore[arg-type, return-value]


def test_names() -> None:  # N17
    app = every()
    parts = app.stream("in", value=str).split(name="part-").branch(bool, name="full").branch(bool).default_branch()
    assert list(parts) == ["part-full", "part-2", "part-0"]
    assert [node.name for node in app.topology().nodes] == [
        "KSTREAM-SOURCE-0000000000",
        "part-",
        "part-full",
        "part-2",
        "part-0",
    ]
    app = every()
    app.stream("in", value=str).branches(bool)[0].to("out")
    assert [node.name for node in app.topology().nodes] == [
        "KSTREAM-SOURCE-0000000000",
        "KSTREAM-BRANCH-0000000001",
        "KSTREAM-BRANCH-00000000011",
        "KSTREAM-BRANCH-00000000010",
        "KSTREAM-SINK-0000000004",
    ]


def test_branches_inherit_a_changed_key() -> None:  # O3
    app = every()
    branch, _ = app.stream("in", value=str).select_key(lambda v: v).branches(bool)
    branch.group_by_key().count(store="n").to_stream().to("out")
    assert list(app.topology().repartition_topics) == ["n-repartition"]


def test_a_predicate_that_fails() -> None:  # X15
    app = every()
    low, rest = app.stream("in", value=str).branches(lambda v: int(v) < 5)
    low.merge(rest).to("out")
    assert Driven(app, EngineSettings(on_error="skip")).says("in k 1 1", "in k x 2", "in k 9 3") == ["k=1@1", "k=9@3"]


def test_what_is_refused() -> None:
    stream: ms.Stream[str, str] = every().stream("in", value=str)
    split = stream.split().branch(bool, name="a")
    with pytest.raises(TopologyError, match="already a branch named 'a'"):
        split.branch(bool, name="a")
    split.default_branch()
    with pytest.raises(TopologyError, match="complete"):
        split.branch(bool)
    with pytest.raises(TopologyError, match="one predicate"):
        stream.branches()
    with pytest.raises(TopologyError, match="expected a function"):
        stream.branches(3)  # type: ignore[arg-type]
