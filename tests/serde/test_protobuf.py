"""Protobuf messages: plain, and with a registry as Confluent's serialisers write and read them."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.errors import DeserializationError, RegistryError, TopologyError
from millstream.serde import serde_for
from millstream.serde.protobuf import place_of, read_place, written_place
from millstream.testing import TestDriver
from tests.serde.messages import Customer, Line, Money, Order
from tests.serde.registry import Registry

VALUE = SerializationContext("orders", MessageField.VALUE)
ORDER = Order(id=1, item="tea", price=Money(cents=250), labels={"b": "2", "a": "1"})


def of_values(of: Any, registry: ms.SchemaRegistry) -> ms.ProtobufSerde[Any]:
    return ms.ProtobufSerde(of, registry=registry).for_topic("orders", is_key=False)


def test_a_message_class_is_a_type_like_others() -> None:
    serde = serde_for(Order)
    assert serde.name == "protobuf(shop.Order)"
    assert serde.decode(serde.encode(ORDER)) == ORDER
    assert serde.encode(ORDER) == ORDER.SerializeToString(deterministic=True)


@given(st.dictionaries(st.text(), st.text()), st.integers(-(2**63), 2**63 - 1))
def test_equal_messages_are_written_alike(labels: dict[str, str], number: int) -> None:
    serde = ms.ProtobufSerde(Order)
    twin = Order(id=number, labels=dict(reversed(labels.items())))
    assert serde.encode(Order(id=number, labels=labels)) == serde.encode(twin)
    assert serde.decode(serde.encode(twin)) == twin


@pytest.mark.parametrize("of", [Order, Customer, Line, Money])
def test_confluents_reader_reads_what_is_written_and_the_other_way_round(of: Any, registry: Registry) -> None:
    """The first message of a file, another one, and one inside of it."""
    value = of(**{Order: {"id": 7}, Customer: {"name": "x"}, Line: {"count": 3}, Money: {"cents": 5}}[of])
    serde = of_values(of, ms.SchemaRegistry(registry.url))
    client = SchemaRegistryClient({"url": registry.url})
    written = ProtobufSerializer(of, client, {"use.deprecated.format": False})(value, VALUE)
    assert serde.encode(value) == written, "it is the same schema too"
    assert serde.decode(written) == value
    read = ProtobufDeserializer(of, {"use.deprecated.format": False}, client)
    assert read(serde.encode(value), VALUE) == value


def test_imported_files_are_registered_under_their_names(registry: Registry) -> None:
    of_values(Order, ms.SchemaRegistry(registry.url)).encode(ORDER)
    assert registry.subjects == ["orders-value", "shop/money.proto"], "google's own are everywhere"


def test_each_schema_is_asked_for_once(registry: Registry) -> None:
    serde = of_values(Line, ms.SchemaRegistry(registry.url))
    data = [serde.encode(Line(count=n)) for n in range(50)]
    before = len(registry.requests)
    reader = of_values(Line, ms.SchemaRegistry(registry.url))
    assert [reader.decode(each).count for each in data] == list(range(50))
    assert len(registry.requests) == before + 1


def test_another_message_of_the_file_is_refused(registry: Registry) -> None:
    """Its bytes could be read as this one's, and mean something else."""
    client = ms.SchemaRegistry(registry.url)
    data = of_values(Customer, client).encode(Customer(name="x"))
    with pytest.raises(ValueError, match=r"this is a message shop.Customer, not shop.Order"):
        of_values(Order, client).decode(data)


def test_a_place_that_the_file_does_not_have(registry: Registry) -> None:
    data = of_values(Order, ms.SchemaRegistry(registry.url)).encode(ORDER)
    with pytest.raises(ValueError, match=r"shop/orders.proto has no message at \(9,\)"):
        of_values(Order, ms.SchemaRegistry(registry.url)).decode(data[:5] + written_place((9,)))


@pytest.mark.parametrize("rest", [b"", b"\x02", b"\xff\xff\xff\xff\xff\xff"])
def test_bytes_without_a_place(registry: Registry, rest: bytes) -> None:
    data = of_values(Order, ms.SchemaRegistry(registry.url)).encode(ORDER)
    with pytest.raises(ValueError, match="no place of a message stands behind the schema's id"):
        of_values(Order, ms.SchemaRegistry(registry.url)).decode(data[:5] + rest)


def test_a_registry_that_gives_files_as_text(registry: Registry) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    client.register_schema("x", Schema('syntax = "proto3"; message Order { int64 id = 1; }', "PROTOBUF"))
    serde = of_values(Order, ms.SchemaRegistry(registry.url))
    assert serde.decode(b"\0\0\0\0\1\0" + Order(id=3).SerializeToString()) == Order(id=3)


def test_schemas_that_must_be_there_already(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"Subject not found"):
        of_values(Order, ms.SchemaRegistry(registry.url, auto_register_schemas=False)).encode(ORDER)
    assert registry.subjects == []
    of_values(Order, ms.SchemaRegistry(registry.url)).encode(ORDER)
    strict = of_values(Order, ms.SchemaRegistry(registry.url, auto_register_schemas=False))
    latest = of_values(Order, ms.SchemaRegistry(registry.url, use_latest_version=True))
    assert strict.encode(ORDER) == latest.encode(ORDER)


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=4).map(tuple))
def test_places(place: tuple[int, ...]) -> None:
    data = bytes(5) + written_place(place)
    assert read_place(data) == (place, len(data))


def test_where_messages_stand() -> None:
    assert [place_of(of.DESCRIPTOR) for of in (Customer, Order, Line)] == [(0,), (1,), (1, 1)]


def test_a_program_of_messages(registry: Registry) -> None:
    app = ms.App("shop", emit="every")
    orders = app.stream("orders", value=ms.ProtobufSerde(Order, registry=ms.SchemaRegistry(registry.url)))
    orders.to("plain", value=Order)
    orders.group_by("item").aggregate(Order, id=ms.sum("id"), item=ms.last("item")).to_stream().to("sums")
    with TestDriver(app) as driver:
        driver.pipe("orders", ORDER, key="k")
        driver.pipe("orders", ORDER, key="k")
        assert [row.value for row in driver.read("plain")] == [ORDER, ORDER]
        assert driver.read("sums")[-1].value == Order(id=2, item="tea")
        with pytest.raises(DeserializationError, match=r"orders-0 offset 2: .*begins with the byte 0"):
            driver.pipe_bytes("orders", ORDER.SerializeToString())


def test_wrong_use_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a message Order, got Customer"):
        ms.ProtobufSerde(Order).encode(Customer())
    with pytest.raises(TopologyError, match=r"ProtobufSerde at tests.serde.test_protobuf.py:\d+: expected a message"):
        ms.ProtobufSerde(str)
    with pytest.raises(TopologyError, match="declare the key's type"):
        ms.App("x").stream("in", key=Order, value=int).group_by_key().count()
    with pytest.raises(TopologyError, match="Order has no field 'nope'; it has id, item"):
        ms.App("x").stream("in", value=Order).group_by("nope")
