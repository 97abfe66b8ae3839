"""count, reduce, aggregate of keys (A1-A4), and what is passed on of a round (E1-E5)."""

from __future__ import annotations

from typing import Any

import millstream as ms
from tests.driving import Driven, every, latest


def folding(app: ms.App) -> Driven:
    """Concatenates; the value `null` makes the aggregate null."""
    grouped = app.stream("in", value=str).group_by_key()
    table: ms.Table[str, str] = grouped.aggregate(
        initializer=lambda: "",
        aggregator=lambda _key, v, total: None if v == "null" else total + v,  # type: ignore[arg-type, return-value]
        value=str,
    )
    table.to_stream().to("out")
    return Driven(app)


def test_aggregate() -> None:  # A1, A2, A3
    run = folding(every())
    assert run.says("in a x 10", "in a y 5", "in a - 20", "in a w 30") == ["a=x@10", "a=xy@10", "a=xyw@30"]
    assert run.says("in a null 5") == ["a=null@30"]
    assert run.says("in a z 1") == ["a=z@1"]
    assert run.says("in - z 99") == []


def test_a_delete_of_nothing_is_an_update() -> None:  # A3
    assert folding(every()).says("in a null 5") == ["a=null@5"]


def test_count_ignores_nulls() -> None:  # A1
    app = every()
    app.stream("in", value=str).group_by_key().count().to_stream().to("out")
    assert Driven(app).says("in a x 10", "in a - 11", "in - x 12", "in a y 3") == ["a=1@10", "a=2@10"]


def test_reduce_begins_with_the_value_itself() -> None:  # A2
    app = every()
    app.stream("in", value=str).group_by_key().reduce(lambda a, b: f"({a}{b})").to_stream().to("out")
    assert Driven(app).says("in a x 10", "in a y 5", "in b q 1") == ["a=x@10", "a=(xy)@10", "b=q@1"]


def test_an_equal_update_is_an_update() -> None:  # A4
    app = every()
    app.stream("in", value=str).group_by_key().reduce(lambda a, b: a).to_stream().to("out")
    assert Driven(app).says("in a x 1", "in a y 2") == ["a=x@1", "a=x@2"]


class Sample(ms.Record):
    g: str
    n: int | None


class Summary(ms.Record):
    records: int
    total: int
    mean: float | None
    least: int | None
    most: int | None
    first: int | None
    last: int | None
    longest: int | None


def test_declared_aggregates() -> None:
    app = every()
    app.stream("in", value=Sample).group_by("g").aggregate(
        Summary,
        records=ms.count(),
        total=ms.sum("n"),
        mean=ms.mean("n"),
        least=ms.min("n"),
        most=ms.max("n"),
        first=ms.first("n"),
        last=ms.last("n"),
        longest=ms.max(lambda v: len(v.g)),
    ).to_stream().to("out")
    run = Driven(app)
    for n in (None, 4, 2, None, 9):
        run.driver.pipe("in", Sample("gg", n))
    said = [record.value for record in run.driver.read("out")]
    assert said == [
        Summary(1, 0, None, None, None, None, None, 2),
        Summary(2, 4, 4.0, 4, 4, 4, 4, 2),
        Summary(3, 6, 3.0, 2, 4, 4, 2, 2),
        Summary(4, 6, 3.0, 2, 4, 4, 2, 2),
        Summary(5, 15, 5.0, 2, 9, 4, 9, 2),
    ]


def test_declared_aggregates_of_dicts_without_a_result_type() -> None:
    app = every()
    app.stream("in").group_by("g").aggregate(n=ms.count(), total=ms.sum("n")).to_stream().to("out")
    run = Driven(app)
    run.driver.pipe("in", {"g": "a", "n": 2})
    run.driver.pipe("in", {"g": "a", "n": 3})
    assert [record.value for record in run.driver.read("out", value=Any)] == [
        {"n": 1, "total": 2},
        {"n": 2, "total": 5},
    ]


class Pair(ms.Record):
    a: str
    b: int


def pairs() -> tuple[ms.App, ms.Stream[str, Pair]]:
    app = every()
    return app, app.stream("in", value=Pair)


def test_group_by_several_fields_makes_a_composite_key() -> None:
    app, stream = pairs()
    stream.group_by("b", "a").count().to_stream().to("out")
    run = Driven(app)
    run.driver.pipe("in", Pair("x", 1))
    run.driver.pipe("in", Pair("x", 1))
    (first, second) = run.driver.read_bytes("out")
    assert (first[0], second[0]) == (b'{"a":"x","b":1}',) * 2


def test_composite_keys_of_two_groups_are_the_same_keys() -> None:
    app, stream = pairs()
    counts = stream.group_by("a", "b").count()
    totals = stream.group_by("a", "b", name="again").aggregate(total=ms.sum("b"))
    totals.to_stream().join(counts, lambda total, n: [total.total, n]).to("out")
    run = Driven(app)
    run.driver.pipe("in", Pair("x", 3))
    run.driver.pipe("in", Pair("x", 3))
    assert [record.value for record in run.driver.read("out")] == [[3, 1], [6, 2]]


def test_group_by_a_field_uses_the_fields_own_type() -> None:
    app, stream = pairs()
    stream.group_by("b").count().to_stream().to("out")
    run = Driven(app)
    run.driver.pipe("in", Pair("x", 258))
    assert run.driver.read_bytes("out")[0][0] == (258).to_bytes(8, "big")


# --- emit="latest"


def rounds(app: ms.App, *records: tuple[str, str | None, int]) -> Any:
    """Several records in one round, through the compiled task."""
    from tests.engine.tasks import Plan, Row, batch_of, rows_of

    plan = Plan(app, {"in": 1, "out": 1})
    task, outbox = plan.only_task()
    (source,) = task.inputs

    def one(*records: tuple[str, str | None, int]) -> list[str]:
        rows = [Row(key.encode(), None if value is None else value.encode(), ts) for key, value, ts in records]
        task.add(batch_of(source, rows))
        task.caught_up(source, len(rows))
        task.process(max_rows=1000, up_to_ms=None, wall_ms=0)
        task.end_round()
        said = [row for batch in outbox.drain() for row in rows_of(batch)]
        return [
            f"{(r.key or b'').decode()}={'null' if r.value is None else r.value.decode()}@{r.timestamp}" for r in said
        ]

    return one


def deleting(app: ms.App, **how: Any) -> ms.Table[str, str]:
    return (
        app.stream("in", value=str)
        .group_by_key()
        .reduce(
            lambda a, b: None if b == "null" else a + b,  # type: ignore[arg-type, return-value]
            **how,
        )
    )


def test_a_round_passes_on_the_latest_of_each_key_by_last_update() -> None:  # E3, E4
    app = latest()
    deleting(app).to_stream().to("out")
    one = rounds(app)
    assert one(("a", "x", 1), ("b", "y", 9), ("a", "z", 0)) == ["b=y@9", "a=xz@1"]
    assert one(("b", "q", 3)) == ["b=yq@9"]


def test_what_came_and_went_in_one_round_is_not_passed_on() -> None:  # E4
    app = latest()
    deleting(app).to_stream().to("out")
    one = rounds(app)
    assert one(("a", "x", 1), ("a", "null", 2)) == []
    assert one(("a", "x", 3)) == ["a=x@3"]
    assert one(("a", "null", 4)) == ["a=null@4"]
    assert one(("a", "x", 5), ("a", "null", 6), ("a", "y", 7)) == ["a=y@7"]


def test_a_stream_of_the_latest_keeps_deletes() -> None:
    app = every()
    deleting(app).to_stream(emit="latest").to("out")
    one = rounds(app)
    assert one(("a", "x", 1), ("a", "y", 2)) == ["a=xy@2"]
    assert one(("a", "null", 4)) == ["a=null@4"]


def test_tables_downstream_are_passed_on_in_the_same_round() -> None:  # E3
    app = latest()
    counts = app.stream("in", value=str).group_by_key().count()
    counts.to_stream().group_by_key().reduce(lambda a, b: a * 10 + b).to_stream().map_values(str, value=str).to("out")
    one = rounds(app)
    assert one(("a", "x", 1), ("a", "x", 2)) == ["a=2@2"]
    assert one(("a", "x", 3)) == ["a=23@3"]
