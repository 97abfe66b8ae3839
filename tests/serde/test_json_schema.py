"""JSON with schemas: checked, and with a registry as Confluent's serialisers write and read them."""

from __future__ import annotations

import builtins
import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import millstream as ms
from millstream.errors import DeserializationError, TopologyError
from millstream.serde.json_schema import schema_of
from millstream.testing import TestDriver
from tests.serde.registry import Registry

VALUE = SerializationContext("orders", MessageField.VALUE)


class Line(ms.Record):
    item: str
    price: Decimal


class Order(ms.Record):
    id: int
    lines: list[Line]
    at: dt.datetime
    note: str | None = None


class Model(BaseModel):
    id: int
    price: Decimal


ORDER = Order(1, [Line("tea", Decimal("2.50"))], dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
SMALL = {"title": "Small", "type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}


def of_values(serde: ms.JsonSchemaSerde[Any]) -> ms.JsonSchemaSerde[Any]:
    return serde.for_topic("orders", is_key=False)


def test_confluents_reader_reads_what_is_written(registry: Registry) -> None:
    serde = of_values(ms.JsonSchemaSerde(Order, registry=ms.SchemaRegistry(registry.url)))
    data = serde.encode(ORDER)
    assert data.startswith(b'\0\0\0\0\1{"id":1,')
    client = SchemaRegistryClient({"url": registry.url})
    read = JSONDeserializer(None, schema_registry_client=client)
    assert read(data, VALUE) == json.loads(data[5:])
    assert serde.decode(data) == ORDER
    assert registry.schema_of("orders-value") == schema_of(Order)


def test_what_confluents_writer_wrote_is_read(registry: Registry) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    write = JSONSerializer(json.dumps(schema_of(Model)), client)
    data = write({"id": 1, "price": "2.5"}, VALUE)
    assert data is not None
    serde = of_values(ms.JsonSchemaSerde(Model, registry=ms.SchemaRegistry(registry.url)))
    before = len(registry.requests)
    assert serde.decode(data) == Model(id=1, price=Decimal("2.5"))
    assert len(registry.requests) == before, "reading asks no registry"
    assert serde.encode(Model(id=1, price=Decimal("2.5")))[:5] == data[:5], "it is the same schema"


@pytest.mark.parametrize("strategy", ["record_name", "topic_record_name"])
def test_records_are_named_by_their_title(registry: Registry, strategy: Any) -> None:
    client = ms.SchemaRegistry(registry.url, subject_name_strategy=strategy)
    of_values(ms.JsonSchemaSerde(Order, registry=client)).encode(ORDER)
    assert registry.subjects == ["Order" if strategy == "record_name" else "orders-Order"]


@given(st.integers(), st.decimals(allow_nan=False, allow_infinity=False), st.datetimes(timezones=st.just(dt.UTC)))
def test_round_trips(number: int, price: Decimal, at: dt.datetime) -> None:
    order = Order(number, [Line("x", price)], at)
    for serde in (ms.JsonSchemaSerde(Order), ms.JsonSchemaSerde(Order, validate=True)):
        assert serde.decode(serde.encode(order)) == order


def test_values_are_checked_where_no_type_does(registry: Registry) -> None:
    for serde in (
        ms.JsonSchemaSerde(schema=SMALL),
        ms.JsonSchemaSerde(schema=json.dumps(SMALL)),
        of_values(ms.JsonSchemaSerde(schema=SMALL, registry=ms.SchemaRegistry(registry.url))),
    ):
        data = serde.encode({"n": 9})
        assert serde.decode(data) == {"n": 9}
        with pytest.raises(ValueError, match=r"\$.n: 10 is greater than the maximum of 9"):
            serde.encode({"n": 10})
        with pytest.raises(ValueError, match=r"\$: 'n' is a required property"):
            serde.decode(data[: -len(b'{"n":9}')] + b"{}")
    assert ms.JsonSchemaSerde(schema=SMALL, validate=False).encode({"n": 10}) == b'{"n":10}'


def test_keys_are_canonical(registry: Registry) -> None:
    for client in (None, ms.SchemaRegistry(registry.url)):
        serde = ms.JsonSchemaSerde(Line, registry=client).for_topic("t", is_key=True)
        assert serde.encode(Line("x", Decimal("2.50"))) == serde.encode(Line("x", Decimal("2.5")))


def test_a_program(registry: Registry) -> None:
    client = ms.SchemaRegistry(registry.url)
    app = ms.App("shop", emit="every")
    orders = app.stream("orders", value=ms.JsonSchemaSerde(Order, registry=client))
    lines = orders.flat_map_values(lambda order: order.lines, value=ms.JsonSchemaSerde(Line, registry=client))
    lines.group_by(lambda line: line, key=ms.JsonSchemaSerde(Line, registry=client)).count().to_stream().to("counts")
    with TestDriver(app, app_id="shop") as driver:
        driver.pipe("orders", ORDER, key="k")
        assert [(row.key, row.value) for row in driver.read("counts")] == [(ORDER.lines[0], 1)]
        with pytest.raises(DeserializationError, match=r"orders-0 offset 1: .*begins with the byte 0 and the id"):
            driver.pipe_bytes("orders", b'{"id":1}')
    assert "counts-key" in registry.subjects


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give a record type, a schema= or a registry="),
        ({"of": {"type": "object"}}, "the first argument is a type; give the schema as schema="),
        ({"of": Order, "registry": "http://x"}, r"registry= takes a ms.SchemaRegistry"),
        ({"schema": "{"}, "Expecting property name"),
        ({"schema": "[]"}, "schema= must be a JSON Schema as data or text"),
        ({"schema": {"type": "nonsense"}}, "this is no JSON Schema: .*nonsense"),
        ({"of": complex}, "JSON cannot be read into complex"),
    ],
)
def test_wrong_use_is_refused_with_the_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TopologyError, match=rf"^JsonSchemaSerde at tests.serde.test_json_schema.py:\d+: .*{said}"):
        ms.JsonSchemaSerde(**options)


def test_without_jsonschema_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "jsonschema":
            raise ImportError(name, name=name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    assert ms.JsonSchemaSerde(Order).decode(ms.JsonSchemaSerde(Order).encode(ORDER)) == ORDER
    with pytest.raises(TopologyError, match=r"pip install 'millstream\[json-schema\]'"):
        ms.JsonSchemaSerde(schema=SMALL)
