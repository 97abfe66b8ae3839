"""Foreign-key joins whose tables emit the latest: whatever falls into one round, the last result of a key is right."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

import pytest

import millstream as ms
from tests.tasks import Tasks

Emit = Literal["latest", "every"]
LEFT, RIGHT = ("a1", "b1", "a2", "n1", None), ("A", "B", "C", None)

SEEDS = (*range(100), 1045, 1247, 1258, 1448, 1461, 1722, 1728, 1936)  # the last were found among 2,500


class Update(NamedTuple):
    topic: str
    key: str
    value: str | None


def foreign_key(value: str) -> str | None:
    return None if value[0] == "n" else value[0]


def seen(table: str, value: str) -> bool:
    """What a filtered table lets through."""
    return value != ("a2" if table == "L" else "C")


def tasks(*, left: bool, filtered: str = "", emit: Emit = "latest") -> Tasks:
    app = ms.App("app", emit=emit)
    orders, products = app.table("L", value=str), app.table("R", value=str)
    if filtered == "L":
        orders = orders.filter(lambda value: seen("L", value))
    if filtered == "R":
        products = products.filter(lambda value: seen("R", value))
    join = orders.left_join if left else orders.join
    joined = join(products, lambda x, y: f"{x}+{y}", foreign_key=foreign_key, result=str)  # type: ignore[operator]
    joined.to_stream().to("out")
    return Tasks(app.topology(), {"L": 1, "R": 1, "out": 1})


def give(run: Tasks, update: Update, timestamp: int) -> None:
    value = None if update.value is None else update.value.encode()
    run.put(update.topic, 0, (update.key.encode(), value, timestamp))


def played(run: Tasks, updates: Sequence[Update], chance: random.Random) -> dict[str, str]:
    """The last result of each key, from rounds of any size in any order."""
    waiting = list(enumerate(updates))
    while waiting or run.behind():
        behind = run.behind()
        if waiting and (not behind or chance.random() < 0.5):
            timestamp, update = waiting.pop(0)
            give(run, update, timestamp)
        else:
            run.round(chance.choice(behind), chance.choice((1, 2, 5)))
    return results(run)


def results(run: Tasks) -> dict[str, str]:
    last = {row.key: row.value for row in run.read("out")}
    return {key.decode(): value.decode() for key, value in last.items() if key is not None and value is not None}


def expected(updates: Sequence[Update], *, left: bool, filtered: str) -> dict[str, str]:
    tables: dict[str, dict[str, str | None]] = {"L": {}, "R": {}}
    for topic, key, value in updates:
        kept = value is not None and (topic != filtered or seen(topic, value))
        tables[topic][key] = value if kept else None
    found = {}
    for key, value in tables["L"].items():
        other = None if value is None else tables["R"].get(foreign_key(value) or "")
        if value is not None and (left or other is not None):
            found[key] = f"{value}+{other}"
    return found


@pytest.mark.parametrize("filtered", ["", "L", "R"])
def test_a_left_join_is_right_in_the_end(filtered: str) -> None:
    for seed in SEEDS:
        chance = random.Random(seed)
        sides = [("L", "kl", LEFT), ("R", "ab", RIGHT)]
        updates = [Update(t, chance.choice(k), chance.choice(v)) for t, k, v in chance.choices(sides, k=14)]
        got = played(tasks(left=True, filtered=filtered), updates, chance)
        assert got == expected(updates, left=True, filtered=filtered), f"seed {seed}"


@pytest.mark.parametrize("filtered", ["", "R"])
def test_an_inner_join_is_right_in_the_end_whatever_becomes_of_the_right_rows(filtered: str) -> None:
    for seed in range(200):
        chance = random.Random(seed)
        updates = [Update("R", chance.choice("ab"), chance.choice(RIGHT)) for _ in range(12)]
        for key, value in (("k", "a1"), ("l", "b1")):
            updates.insert(chance.randrange(12), Update("L", key, value))
        got = played(tasks(left=False, filtered=filtered), updates, chance)
        assert got == expected(updates, left=False, filtered=filtered), f"seed {seed}"


def test_a_right_row_that_comes_and_goes_in_the_round_that_answers_with_it() -> None:
    run = tasks(left=False)
    give(run, Update("L", "k", "a1"), 2)
    (lefts, rights) = sorted(run.specs, key=lambda id_: "L" not in {source.topic for source in run.specs[id_].inputs})
    run.round(lefts, 5)
    give(run, Update("R", "a", "A"), 1)
    give(run, Update("R", "a", None), 3)
    run.round(rights, 5)
    run.run()
    assert [(row.key, row.value, row.timestamp) for row in run.read("out")] == [(b"k", b"a1+A", 2), (b"k", None, 3)]


@pytest.mark.parametrize("emit", ["every", "latest"])
def test_a_stale_result_that_kafka_streams_has_too(emit: Emit) -> None:
    """docs/tables.md: the answer to the delete is late, and the new foreign key's row isn't there."""
    run = tasks(left=False, emit=emit)
    for update in (Update("R", "a", "A"), Update("L", "k", "a1")):
        give(run, update, 1)
        run.run()
    (lefts, _) = sorted(run.specs, key=lambda id_: "L" not in {source.topic for source in run.specs[id_].inputs})
    for update in (Update("L", "k", None), Update("L", "k", "b1")):
        give(run, update, 2)
        run.round(lefts, 5)
    assert results(run.run()) == {"k": "a1+A"}
    give(run, Update("R", "b", "B"), 3)
    assert results(run.run()) == {"k": "b1+B"}
