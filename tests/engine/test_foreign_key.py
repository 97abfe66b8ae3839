"""Foreign-key joins (rules J27-J38)."""

from __future__ import annotations

import pytest

import millstream as ms
from millstream.plan.internal import internal_topics
from millstream.serde.subscription import RequestSerde
from tests.driving import Driven, every


def key_of(value: str) -> str | None:
    return None if value == "none" else value[0]


def joined(app: ms.App, *, left: bool) -> ms.Table[str, str]:
    orders, products = app.table("L", value=str), app.table("R", value=str)
    join = orders.left_join if left else orders.join
    return join(products, lambda x, y: f"{x}+{y}", foreign_key=key_of, result=str)  # type: ignore[operator]


def driven(*, left: bool) -> Driven:
    app = every()
    joined(app, left=left).to_stream().to("out")
    return Driven(app)


def test_inner() -> None:  # J27-J32, J35-J37
    run = driven(left=False)
    assert run.says("L k a1 10") == []
    assert run.says("R a A 5") == ["k=a1+A@5"]
    assert run.says("R a A 20", "L k a2 15") == ["k=a1+A@20", "k=a2+A@20"]
    assert run.says("L k b1 30") == ["k=null@30"]
    assert run.says("R b B 3", "R b - 40") == ["k=b1+B@3", "k=null@40"]
    assert run.says("L k none 50") == ["k=null@50"]


def test_left() -> None:  # J27-J34
    run = driven(left=True)
    assert run.says("L k a1 10", "R a A 5") == ["k=a1+None@10", "k=a1+A@5"]
    assert run.says("L k none 20", "L k - 30", "L m - 40") == ["k=none+None@20", "k=null@30"]


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        (False, [(b"a", 3), (b"a", 1), (b"b", 3), (b"b", 1)]),
        (True, [(b"a", 2), (b"a", 0), (None, 2), (None, 2), (b"b", 2), (b"b", 0), (None, 2)]),
    ],
)
def test_what_a_left_row_asks_when_it_loses_its_key(left: bool, asked: list[tuple[bytes | None, int]]) -> None:
    run = driven(left=left)
    run.pipe("L k a1 1", "L k none 2", "L k none 3", "L k b1 4", "L k - 5")  # J27, J30, J31, J27, J32
    requests = run.driver.read_bytes("app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000006-topic")
    told = [(key, RequestSerde().decode(value).instruction) for key, value, *_ in requests if value is not None]
    assert told == asked


def test_one_right_row_tells_all_its_subscribers_by_their_keys() -> None:  # J36
    run = driven(left=False)
    run.pipe("L z a1 1", "L b a2 2", "L m a3 3")
    assert run.says("R a A 9") == ["b=a2+A@9", "m=a3+A@9", "z=a1+A@9"]


def test_the_result_can_be_grouped() -> None:
    app = every()
    joined(app, left=False).group_by(lambda _k, v: (v[0], v)).count().to_stream().to("out")
    assert Driven(app).says("R a A 0", "L k a1 1", "L m a2 2", "L k - 3") == ["a=1@1", "a=2@2", "a=1@3"]


def test_sides_may_have_different_partitions() -> None:  # O8
    app = every()
    joined(app, left=False).to_stream().to("out")
    counts = {topic.name: topic.partitions for topic in internal_topics(app.topology(), "app", {"L": 2, "R": 5}).topics}
    registration, response = (name for name in counts if name.endswith("-topic"))
    assert (counts[registration], counts[response]) == (5, 2)
