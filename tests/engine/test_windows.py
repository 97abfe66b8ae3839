"""Tumbling and hopping windows (W1-W5, W20)."""

from __future__ import annotations

from typing import Any

import millstream as ms
from tests.driving import Driven, every


def folding(windows: Any) -> Driven:
    app = every()
    grouped = app.stream("in", value=str).group_by_key().windowed_by(windows)
    grouped.aggregate(
        initializer=lambda: "", aggregator=lambda v, total: total + ("." if v is None else v), value=str, store="w"
    ).to_stream().to("out")
    return Driven(app)


def test_tumbling_with_grace() -> None:  # W1-W4
    run = folding(ms.tumbling(10, grace=5))
    assert run.says("in a x 3", "in a y 1") == ["a[0,10]=x@3", "a[0,10]=xy@3"]
    assert run.says("in b q 14") == ["b[10,20]=q@14"]
    assert run.says("in a L 4") == ["a[0,10]=xyL@4"]
    assert run.says("in b r 15", "in a M 4") == ["b[10,20]=qr@15"]
    assert run.driver.metrics.late == 1


def test_null_values_are_aggregated_and_null_keys_move_nothing() -> None:  # W2
    run = folding(ms.tumbling(10, grace=5))
    assert run.says("in a - 19", "in - q 40", "in a z 18") == ["a[10,20]=.@19", "a[10,20]=.z@19"]


def test_reduce_of_null_makes_no_entry() -> None:  # W2
    app = every()
    app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10)).reduce(lambda a, b: a + b).to_stream().to(
        "out"
    )
    assert Driven(app).says("in a - 1", "in a x 2", "in a y 3") == ["a[0,10]=null@1", "a[0,10]=x@2", "a[0,10]=xy@3"]


def test_hopping() -> None:  # W1, W3, W4
    run = folding(ms.hopping(10, advance=4))
    assert run.says("in a x 0") == ["a[0,10]=x@0"]
    assert run.says("in a y 9") == ["a[0,10]=xy@9", "a[4,14]=y@9", "a[8,18]=y@9"]
    assert run.says("in a z 12") == ["a[4,14]=yz@12", "a[8,18]=yz@12", "a[12,22]=z@12"]
    assert run.says("in a L 9") == ["a[4,14]=yzL@12", "a[8,18]=yzL@12"]


def test_windows_of_a_time() -> None:  # W1
    for t, starts in ((2, [0]), (9, [0, 3, 6, 9]), (10, [3, 6, 9])):
        run = folding(ms.hopping(10, advance=3))
        assert run.says(f"in a x {t}") == [f"a[{s},{s + 10}]=x@{t}" for s in starts]


def test_lateness_is_by_what_the_operator_saw() -> None:  # T5, T9
    app = every()
    stream = app.stream("in", value=str).filter(lambda v: v != "far")
    stream.group_by_key().windowed_by(ms.tumbling(10)).count().to_stream().to("out")
    assert Driven(app).says("in a x 1", "in a far 99", "in a y 2") == ["a[0,10]=1@1", "a[0,10]=2@2"]


def test_windows_beyond_the_retention_are_forgotten() -> None:  # W5, W20
    run = folding(ms.tumbling(10, grace=5))
    run.pipe(*(f"in a x {t}" for t in range(0, 200, 10)))
    store: Any = run.driver.rows("w")
    assert [start for start, _, _ in store.all()] == [180, 190]


def test_many_keys_cost_nothing_when_time_goes_on() -> None:
    """What is kept is two windows' keys, however many there were."""
    run = folding(ms.tumbling(10, grace=5))
    for t in range(0, 300):
        run.pipe(f"in k{t} x {t}")
    store: Any = run.driver.rows("w")
    assert len(store) <= 20


def test_window_keys_in_a_sink() -> None:  # F6
    run = folding(ms.tumbling(10))
    run.pipe("in a x 12")
    assert run.driver.read_bytes("out")[0][0] == b"a" + (10).to_bytes(8, "big")


def test_window_changelog() -> None:  # F2, F17
    run = folding(ms.tumbling(10))
    run.pipe("in a x 12")
    (batch,) = run.driver.changelog
    assert list(batch.keys) == [bytes.fromhex("61 000000000000000a 00000000")]
    assert (list(batch.values), list(batch.timestamps)) == ([b"x"], [12])


def test_a_stream_joined_with_a_windowed_table() -> None:
    app = every()
    stream = app.stream("in", value=str)
    counts = stream.group_by_key().windowed_by(ms.tumbling(10)).count()
    texts = stream.group_by_key().windowed_by(ms.tumbling(10)).reduce(lambda a, b: a + b)
    texts.to_stream().join(counts, lambda text, n: f"{text}{n}").to("out", value=str)
    assert Driven(app).says("in a x 1", "in a y 2", "in a z 12") == ["a[0,10]=x1@1", "a[0,10]=xy2@2", "a[10,20]=z1@12"]
