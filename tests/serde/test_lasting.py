"""Values of no declared type in stores: kept if JSON gives them back, refused if it does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

import millstream as ms
from millstream.errors import SerializationError
from millstream.plan.nodes import StoreType
from millstream.serde import lasting
from millstream.testing import TestDriver
from tests.driving import every


class Order(ms.Record):
    price: Decimal
    day: date


ORDERS = [Order(Decimal("1.10"), date(2026, 1, day)) for day in (1, 2)]


def twice(order: Order) -> Decimal:
    return order.price * 2


def added(order: Order, total: Decimal) -> Decimal:
    return total + order.price


@pytest.mark.parametrize(
    "value",
    [
        Decimal(1),
        date(2026, 1, 1),
        datetime(2026, 1, 1, tzinfo=UTC),
        b"x",
        {"a": Decimal(1)},
        [1, Decimal(1)],
        {"a": [b"x"]},
        [Decimal(1), 1],
        {"a": 1, "b": (2, {"c": {Decimal(3)}})},
    ],
)
def test_what_would_be_text_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"would be read again as text, for nothing says that it is a \w+; give"):
        lasting(ms.JsonSerde()).encode(value)


def test_what_would_be_text_is_refused_however_late_it_comes() -> None:
    whole, slots = lasting(ms.JsonSerde()), lasting(ms.JsonSerde(tuple[int, Any]))  # type: ignore[arg-type]
    for number in range(1_000):
        whole.encode(number)
        slots.encode((number, {"n": number}))
    for serde, value in ((whole, Decimal(1)), (slots, (1, {"n": Decimal(1)}))):
        with pytest.raises(ValueError, match="nothing says that it is a Decimal"):
            serde.encode(value)


@pytest.mark.parametrize("value", [1, 1.5, "x", True, {"a": [1, {"b": 2}]}, [], {}, [float("inf")]])
def test_what_json_has_is_kept(value: Any) -> None:
    serde = lasting(ms.JsonSerde())
    assert serde.decode(serde.encode(value)) == value


def test_serdes_that_know_their_values_are_left_alone() -> None:
    own = ms.serde_from(lambda value: str(value).encode(), lambda data: Decimal(data.decode()), of=Any)
    assert lasting(own).encode(Decimal("1.5")) == b"1.5"
    assert lasting(ms.JsonSerde(dict[str, Decimal])).encode({"a": Decimal("1.5")}) == b'{"a":"1.5"}'


Program = Callable[[ms.GroupedStream[str, Order]], ms.Table[str, Any]]


def run(build: Program, store: StoreType) -> list[Any]:
    app = every()
    build(app.stream("orders", value=Order).group_by_key()).to_stream().to("out")
    with TestDriver(app, store=store, cache=0) as driver:  # each row is read from its store again
        for order in ORDERS:
            driver.pipe("orders", order, key="k")
        return driver.output_topic("out").read_values()


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_aggregates_of_no_type_are_refused_before_they_are_lost(store: StoreType) -> None:
    untyped: list[Program] = [
        lambda group: group.aggregate(total=ms.sum(lambda order: order.price)),
        lambda group: group.aggregate(last=ms.max(lambda order: order.day)),
        lambda group: group.aggregate(days=ms.collect_list(lambda order: order.day)),
        lambda group: group.aggregate(
            initializer=lambda: Decimal(0), aggregator=lambda order, total: total + order.price
        ),
        lambda group: group.aggregate(initializer=dict, aggregator=lambda order, _: {"day": order.day}),
    ]
    for build in untyped:
        with pytest.raises(SerializationError, match=r"store '.*' holds what cannot be written: .* as text"):
            run(build, store)


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_with_a_type_they_are_kept(store: StoreType) -> None:
    assert run(lambda group: group.aggregate(total=ms.sum(twice)), store)[-1].total == "4.40"
    assert run(lambda group: group.aggregate(initializer=Decimal, aggregator=added), store) == [
        Decimal("1.10"),
        Decimal("2.20"),
    ]
