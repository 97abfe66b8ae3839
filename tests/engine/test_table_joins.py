"""Joins of two tables on the same key (rules J19-J25)."""

from __future__ import annotations

from typing import Any

import pytest

import millstream as ms
from tests.driving import Driven, every


def joined(operator: str, **options: Any) -> Driven:
    app = every()
    left, right = app.table("L", value=str), app.table("R", value=str)
    join = getattr(left, operator)
    join(right, lambda x, y: f"{x}+{y}", result=str, **options).to_stream().to("out")
    return Driven(app)


@pytest.mark.parametrize("options", [{}, {"store": "kept"}], ids=["no store", "store"])
def test_inner(options: dict[str, Any]) -> None:  # J19, J23
    run = joined("join", **options)
    assert run.says("L a x 12") == []
    assert run.says("R a y 7", "L a x2 3") == ["a=x+y@12", "a=x2+y@7"]
    assert run.says("L a - 20", "L a - 21") == ["a=null@20", "a=null@21"]


def test_left() -> None:  # J20, J21
    run = joined("left_join")
    assert run.says("R a y 50", "L a x 10") == ["a=x+y@50"]
    assert run.says("R a - 20", "R a z 5", "L a - 1") == ["a=x+None@20", "a=x+z@10", "a=null@5"]


def test_outer() -> None:  # J22
    run = joined("outer_join")
    assert run.says("L a x 10", "L a - 11", "R a y 5") == ["a=x+None@10", "a=null@11", "a=None+y@5"]
    assert run.says("R a - 6", "R a - 7") == ["a=null@6"]


def test_a_join_is_a_table_that_can_be_joined_and_grouped() -> None:
    app = every()
    names, ages = app.table("names", value=str), app.table("ages", value=str)
    people = names.join(ages, lambda name, age: f"{name}/{age}", result=str)
    app.stream("s", value=str).join(people, lambda v, person: f"{v}:{person}", result=str).to("out")
    people.group_by(lambda _k, v: (v[0], v)).count().to_stream().to("counts")
    run = Driven(app)
    assert run.says("names 1 ann 0", "ages 1 30 1", "s 1 hello 2") == ["1=hello:ann/30@2"]
    assert run.out("counts") == ["a=1@1"]


def test_tables_of_different_keys_are_refused() -> None:
    app = every()
    with pytest.raises(ms.TopologyError, match=r"join at .*test_table_joins.py:\d+: .*string.*int64.*same type"):
        app.table("L", value=str).join(app.table("R", key=int, value=str), lambda x, _y: x)
