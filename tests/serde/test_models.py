"""Pydantic models as values and keys, alone and inside of other types."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pydantic.dataclasses
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

import millstream as ms
from millstream.errors import DeserializationError
from millstream.serde import serde_for
from millstream.serde.models import PydanticSerde
from millstream.testing import TestDriver


class Order(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: int = Field(gt=0)
    price: Decimal
    at: dt.datetime
    note: str | None = Field(None, alias="n")


AT = dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)
ORDER = Order(id=1, price=Decimal("2.50"), at=AT, n="x")


@pydantic.dataclasses.dataclass(frozen=True)
class Checked:
    id: int = Field(gt=0)


class Basket(ms.Record):
    orders: list[Order]


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (Order, ORDER),
        (list[Order], [ORDER]),
        (Order | None, ORDER),
        (dict[str, Order], {"a": ORDER}),
        (Checked, Checked(1)),
    ],
)
def test_models_are_read_by_pydantic(of: Any, value: Any) -> None:
    serde = serde_for(of)
    assert isinstance(serde, PydanticSerde)
    assert serde.decode(serde.encode(value)) == value


def test_dataclasses_of_pydantics_are_checked() -> None:
    with pytest.raises(ValueError, match="Checked: id: Input should be greater than 0"):
        serde_for(Checked).decode(b'{"id":0}')
    app = ms.App("x", emit="every")
    app.stream("in", value=Checked).group_by("id").count().to_stream().to("out")
    with TestDriver(app) as driver:
        driver.pipe("in", Checked(5), key="k")
        assert [(row.key, row.value) for row in driver.read("out")] == [(5, 1)]


def test_a_record_may_hold_models() -> None:
    serde = serde_for(Basket)
    assert serde.encode(Basket([ORDER])).startswith(b'{"orders":[{"id":1,"price":"2.50","at":"2026-01-02T03:00:00Z"')
    assert serde.decode(b'{"orders":[{"id":1,"price":"2.5","at":"2026-01-02T03:00:00Z","n":"x"}]}') == Basket([ORDER])


@given(st.integers(1), st.decimals(allow_nan=False, allow_infinity=False), st.binary(max_size=3).map(lambda b: b.hex()))
def test_round_trips(number: int, price: Decimal, note: str) -> None:
    order = Order(id=number, price=price, at=AT, n=note)
    assert serde_for(Order).decode(serde_for(Order).encode(order)) == order
    assert serde_for(Order, key=True).decode(serde_for(Order, key=True).encode(order)) == order


def test_equal_keys_have_equal_bytes() -> None:
    encode = serde_for(Order, key=True).encode
    twin = Order(price=Decimal("2.5"), id=1, at=AT.astimezone(dt.timezone(dt.timedelta(hours=3))), n="x")
    assert twin == ORDER
    assert encode(ORDER) == encode(twin) == b'{"at":"2026-01-02T03:00:00Z","id":1,"n":"x","price":"2.5"}'


def test_a_program_of_models() -> None:
    app = ms.App("orders", emit="every")
    orders = app.stream("orders", value=Order)
    orders.group_by("id", "price").count().to_stream().to("counts")
    orders.group_by(lambda order: order, key=Order).count().to_stream().to("same")
    with TestDriver(app) as driver:
        driver.pipe("orders", ORDER, key="k")
        driver.pipe("orders", ORDER, key="k")
        assert [row[:2] for row in driver.read_bytes("counts")][-1] == (b'{"id":1,"price":"2.5"}', (2).to_bytes(8))
        assert [(row.key, row.value) for row in driver.read("same")] == [(ORDER, 1), (ORDER, 2)]
        with pytest.raises(DeserializationError, match=r"offset 2: .*Order: id: Input should be greater than 0; mend"):
            driver.pipe_bytes("orders", b'{"id":0,"price":"1","at":"2026-01-02T03:00:00Z"}')


def test_pydantic_is_imported_only_for_its_models() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, millstream as ms; ms.App('x').stream('in', value=dict[str, int]).to('out');"
            "print({'pydantic', 'fastavro', 'google.protobuf', 'jsonschema'} & sys.modules.keys())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "set()"
