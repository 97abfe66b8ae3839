"""Joins of two tables on the same key (rules J19-J25)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


Update = tuple[str, str, str, int]  # side, key, value (- deletes), timestamp


def by_the_table(operator: str, updates: list[Update]) -> list[str]:
    """J19-J22 for one update after another: each meets the other side's row as it is at that moment."""
    rows: dict[str, dict[str, tuple[str, int]]] = {"L": {}, "R": {}}
    told = []
    for side, key, value, timestamp in updates:
        mine, other = rows[side], rows["R" if side == "L" else "L"].get(key)
        old = mine.pop(key, None)
        new = None if value == "-" else (value, timestamp)
        if new is not None:
            mine[key] = new
        nothing = {
            "join": other is None,
            "left_join": other is None if side == "R" else (new, old, other) == (None, None, None),
            "outer_join": (new, old, other) == (None, None, None),
        }
        if nothing[operator]:
            continue
        left, right = (new, other) if side == "L" else (other, new)
        keeps = {"join": new, "left_join": left, "outer_join": left or right}
        pair = f"{left and left[0]}+{right and right[0]}" if keeps[operator] else "null"
        told.append(f"{key}={pair}@{max(timestamp, other[1] if other else timestamp)}")
    return told


@pytest.mark.parametrize("operator", ["join", "left_join", "outer_join"])
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("LR"), st.sampled_from("ab"), st.sampled_from(["-", "x", "y"]), st.integers(0, 50)),
        max_size=25,
    )
)
def test_each_update_meets_what_came_before_it(operator: str, updates: list[Update]) -> None:  # J26
    run = joined(operator)
    run.pipe(*(f"{side} {key} {value} {timestamp}" for side, key, value, timestamp in updates))
    assert run.out() == by_the_table(operator, updates)


def test_a_table_joined_with_what_is_made_of_it() -> None:  # J24
    app = every()
    table = app.table("t", value=str)
    shout = table.map_values(lambda v: f"{v}!", value=str)
    table.join(shout, lambda x, y: f"{x}+{y}", result=str).to_stream().to("out")
    run = Driven(app)
    assert run.says("t a x 5") == 2 * ["a=x+x!@5"]
    assert run.says("t a y 3") == 2 * ["a=y+y!@3"]
    assert run.says("t a - 9") == []
