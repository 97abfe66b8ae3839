"""Avro with a schema registry: Confluent's wire format, subjects, evolution, and a registry that is down."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    record_subject_name_strategy,
    topic_record_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import DeserializationError, RegistryError, SerializationError, TopologyError
from millstream.testing import TestDriver
from tests.serde.registry import Registry

VALUE = SerializationContext("orders", MessageField.VALUE)
ORDER = """{"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"}, {"name": "item", "type": "string"}]}"""


class Order(ms.Record):
    id: int
    item: str
    note: str | None = None


def of_values(serde: ms.AvroSerde[Any], topic: str = "orders") -> ms.AvroSerde[Any]:
    return serde.for_topic(topic, is_key=False)


def test_confluents_reader_reads_what_is_written(registry: Registry) -> None:
    serde = of_values(ms.AvroSerde(Order, namespace="shop", registry=ms.SchemaRegistry(registry.url)))
    data = serde.encode(Order(1, "tea"))
    assert data.hex() == "0000000001" + "02067465" + "6100"
    read = AvroDeserializer(SchemaRegistryClient({"url": registry.url}))
    assert read(data, VALUE) == {"id": 1, "item": "tea", "note": None}
    assert registry.subjects == ["orders-value"]
    assert registry.schema_of("orders-value") == ms.avro_schema(Order, namespace="shop")


def test_what_confluents_writer_wrote_is_read(registry: Registry) -> None:
    """With an older schema, which lacks a field."""
    write = AvroSerializer(SchemaRegistryClient({"url": registry.url}), ORDER)
    data = write({"id": 1, "item": "tea"}, VALUE)
    assert data is not None
    client = ms.SchemaRegistry(registry.url)
    assert of_values(ms.AvroSerde(Order, namespace="shop", registry=client)).decode(data) == Order(1, "tea")
    assert of_values(ms.AvroSerde(registry=client)).decode(data) == {"id": 1, "item": "tea"}
    assert of_values(ms.AvroSerde(schema=ORDER, registry=client)).encode({"id": 1, "item": "tea"}) == data


def test_what_was_written_with_a_newer_schema_is_read(registry: Registry) -> None:
    client = ms.SchemaRegistry(registry.url)
    data = of_values(ms.AvroSerde(Order, namespace="shop", registry=client)).encode(Order(1, "tea", "hot"))
    assert of_values(ms.AvroSerde(schema=ORDER, registry=client)).decode(data) == {"id": 1, "item": "tea"}


def test_schemas_of_other_names_do_not_resolve(registry: Registry) -> None:
    client = ms.SchemaRegistry(registry.url)
    data = of_values(ms.AvroSerde(schema=ORDER.replace('"item"', '"other"'), registry=client)).encode(
        {"id": 1, "other": "x"}
    )
    with pytest.raises(ValueError, match=r"are no avro\(shop.Order\) with registry: SchemaResolutionError"):
        of_values(ms.AvroSerde(schema=ORDER, registry=client)).decode(data)


@pytest.mark.parametrize(
    ("strategy", "confluents", "key", "value"),
    [
        ("topic_name", None, "orders-key", "orders-value"),
        ("record_name", record_subject_name_strategy, "shop.Order", "shop.Order"),
        ("topic_record_name", topic_record_subject_name_strategy, "orders-shop.Order", "orders-shop.Order"),
        (lambda topic, is_key, record: f"{record}/{topic} {is_key}", None, "shop.Order/orders True", None),
    ],
)
def test_subjects(registry: Registry, strategy: Any, confluents: Any, key: str, value: str | None) -> None:
    client = ms.SchemaRegistry(registry.url, subject_name_strategy=strategy)
    serde = ms.AvroSerde(Order, namespace="shop", registry=client)
    serde.for_topic("orders", is_key=True).encode(Order(1, "tea"))
    assert registry.subjects == [key]
    if value is not None:
        of_values(serde).encode(Order(1, "tea"))
        assert registry.subjects == sorted({key, value})
        options = {} if confluents is None else {"subject.name.strategy": confluents}
        schema = json.dumps(registry.schema_of(value))
        write = AvroSerializer(SchemaRegistryClient({"url": registry.url}), schema, conf=options)
        write({"id": 1, "item": "x"}, VALUE)
        assert registry.subjects == sorted({key, value}), "Confluent's names are the same"


def test_each_schema_is_asked_for_once(registry: Registry) -> None:
    client = ms.SchemaRegistry(registry.url)
    serde = of_values(ms.AvroSerde(Order, registry=client))
    data = [serde.encode(Order(n, "x")) for n in range(100)]
    assert registry.requests == ["POST /subjects/orders-value/versions"]
    del registry.requests[:]
    reader = of_values(ms.AvroSerde(Order, registry=ms.SchemaRegistry(registry.url)))
    assert [reader.decode(each).id for each in data] == list(range(100))
    assert registry.requests == ["GET /schemas/ids/1"]


def test_schemas_may_have_to_be_there_already(registry: Registry) -> None:
    client = ms.SchemaRegistry(registry.url, auto_register_schemas=False)
    strict = of_values(ms.AvroSerde(schema=ORDER, registry=client))
    with pytest.raises(RegistryError, match=r"'orders-value', which auto_register_schemas=False wants.*Subject not fo"):
        strict.encode({"id": 1, "item": "x"})
    assert registry.subjects == []
    SchemaRegistryClient({"url": registry.url}).register_schema("orders-value", Schema(ORDER))
    assert strict.encode({"id": 1, "item": "x"})[:5] == b"\0\0\0\0\1"


def test_the_latest_version_may_be_used(registry: Registry) -> None:
    SchemaRegistryClient({"url": registry.url}).register_schema("orders-value", Schema(ORDER))
    client = ms.SchemaRegistry(registry.url, use_latest_version=True)
    untyped = of_values(ms.AvroSerde(registry=client))
    data = untyped.encode({"id": 1, "item": "tea"})
    assert untyped.decode(data) == {"id": 1, "item": "tea"}
    latest = of_values(ms.AvroSerde(Order, namespace="shop", registry=client))
    with pytest.raises(ValueError, match="more fields than the schema specifies: note"):
        latest.encode(Order(1, "tea"))


def test_schemas_may_be_normalized(registry: Registry) -> None:
    client = ms.SchemaRegistry(registry.url, normalize_schemas=True)
    of_values(ms.AvroSerde(Order, registry=client)).encode(Order(1, "x"))
    assert registry.queries == ["normalize=True"]


def test_an_incompatible_schema_is_refused(registry: Registry) -> None:
    client = ms.SchemaRegistry(registry.url)
    of_values(ms.AvroSerde(schema=ORDER, registry=client)).encode({"id": 1, "item": "x"})
    other = ORDER.replace('"item"', '"thing"')
    with pytest.raises(RegistryError, match=r"asked to register a schema as 'orders-value', answered: .*incomp") as it:
        of_values(ms.AvroSerde(schema=other, registry=client)).encode({"id": 1, "thing": "x"})
    assert not it.value.retriable


def test_schemas_that_refer_to_others(registry: Registry) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    money = '{"type": "record", "name": "a.Money", "fields": [{"name": "n", "type": "int"}]}'
    client.register_schema("money", Schema(money))
    text = '{"type": "record", "name": "a.Bill", "fields": [{"name": "sum", "type": "a.Money"}]}'
    references = [SchemaReference("a.Money", "money", 1)]
    client.register_schema("bills-value", Schema(text, references=references))
    latest = ms.SchemaRegistry(registry.url, use_latest_version=True)
    serde = of_values(ms.AvroSerde(registry=latest), "bills")
    data = serde.encode({"sum": {"n": 5}})
    assert serde.decode(data) == {"sum": {"n": 5}}


def test_an_id_that_the_registry_does_not_know(registry: Registry) -> None:
    client = ms.SchemaRegistry(registry.url)
    client.clock = lambda: now
    now = 0.0
    serde = of_values(ms.AvroSerde(Order, registry=client))
    for _ in range(3):
        with pytest.raises(DeserializationError, match=r"knows no schema with the id 7; was the record written"):
            serde.decode(b"\0\0\0\0\7\2")
    assert registry.requests == ["GET /schemas/ids/7"], "for a while it isn't asked again"
    now = 10.0
    with pytest.raises(DeserializationError):
        serde.decode(b"\0\0\0\0\7\2")
    assert len(registry.requests) == 2


@pytest.mark.parametrize("data", [b"", b"\0\0", b'{"id":1}', b"\1\0\0\0\1\2"])
def test_bytes_without_an_id(registry: Registry, data: bytes) -> None:
    serde = of_values(ms.AvroSerde(Order, registry=ms.SchemaRegistry(registry.url)))
    with pytest.raises(ValueError, match=r"begins with the byte 0 and the id of a schema.*without a registry\?"):
        serde.decode(data)
    assert registry.requests == []


def test_a_schema_of_another_kind(registry: Registry) -> None:
    SchemaRegistryClient({"url": registry.url}).register_schema("x", Schema("{}", "JSON"))
    with pytest.raises(ValueError, match="the schema with id 1 is of kind JSON, not AVRO"):
        of_values(ms.AvroSerde(Order, registry=ms.SchemaRegistry(registry.url))).decode(b"\0\0\0\0\1\2")


def test_outside_of_a_program_it_must_be_told_its_topic(registry: Registry) -> None:
    with pytest.raises(SerializationError, match=r"does not know its topic.*serde.for_topic\(topic, is_key=False\)"):
        ms.AvroSerde(Order, registry=ms.SchemaRegistry(registry.url)).encode(Order(1, "x"))


def test_without_any_schema_nothing_can_be_written(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="there is no schema to write 'orders-value' with"):
        of_values(ms.AvroSerde(registry=ms.SchemaRegistry(registry.url))).encode({})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ms.SchemaRegistry("localhost:8081"), "Invalid url localhost:8081"),
        (lambda: ms.SchemaRegistry("http://x", config={"nope": 1}), "Unrecognized properties: nope"),
        (lambda: ms.SchemaRegistry("http://x", subject_name_strategy="x"), "must be one of topic_name, record_name"),  # type: ignore[arg-type]
    ],
)
def test_wrong_settings_are_refused_with_the_line(make: Callable[[], object], said: str) -> None:
    with pytest.raises(TopologyError, match=rf"^SchemaRegistry at tests.serde.test_registry.py:\d+: .*{said}"):
        make()


def program(client: ms.SchemaRegistry) -> ms.App:
    orders = ms.AvroSerde(Order, registry=client)
    app = ms.App("shop", emit="every")
    stream = app.stream("orders", key=ms.AvroSerde(str, registry=client), value=orders)
    by_item = stream.group_by("item", key=ms.AvroSerde(str, registry=client))
    by_item.reduce(lambda _old, new: new, store="latest").to_stream().to("latest")
    return app


def test_a_program_with_a_registry(registry: Registry) -> None:
    """Internal topics too have their subjects, as in Kafka Streams."""
    with TestDriver(program(ms.SchemaRegistry(registry.url)), app_id="shop") as driver:
        driver.pipe("orders", Order(1, "tea"), key="k")
        driver.pipe("orders", Order(2, "tea"), key="k")
        assert [(row.key, row.value) for row in driver.read("latest")] == [
            ("tea", Order(1, "tea")),
            ("tea", Order(2, "tea")),
        ]
        assert driver.store("latest").get("tea") == Order(2, "tea")
    topics = ("latest", "orders", "shop-latest-changelog", "shop-latest-repartition")
    assert registry.subjects == sorted(f"{topic}-{part}" for topic in topics for part in ("key", "value"))
    assert len(registry.requests) == 10, "8 to register and 2 of the schemas to read with"


def test_a_registry_in_memory() -> None:
    with TestDriver(program(ms.SchemaRegistry("mock://tests"))) as driver:
        driver.pipe("orders", Order(1, "tea"), key="k")
        assert [(row.key, row.value) for row in driver.read("latest")] == [("tea", Order(1, "tea"))]


SKIPS = EngineSettings(on_decode_error="skip", on_error="skip", on_send_error="skip", dead_letters="dead")
IMPATIENT = {"max.retries": 0}


def test_a_registry_that_is_down_stops_the_task_and_skips_nothing(registry: Registry) -> None:
    data = of_values(ms.AvroSerde(Order, registry=ms.SchemaRegistry(registry.url))).encode(Order(1, "tea"))
    registry.broken = True
    app = ms.App("x")
    client = ms.SchemaRegistry(registry.url, config=IMPATIENT)
    app.stream("orders", value=ms.AvroSerde(Order, registry=client)).to("out")
    with TestDriver(app, settings=SKIPS) as driver:
        with pytest.raises(RegistryError, match=r"orders-0 offset 0: the schema registry at .*backend") as it:
            driver.pipe_bytes("orders", data)
        assert it.value.retriable
        assert driver.read_bytes("dead") == []
        registry.broken = False
        driver.pipe_bytes("orders", data)
        assert [row.value for row in driver.read("out")] == [Order(1, "tea")]


def test_what_cannot_be_registered_is_not_skipped_either(registry: Registry) -> None:
    registry.broken = True
    client = ms.SchemaRegistry(registry.url, config=IMPATIENT)
    app = ms.App("x", emit="every")
    orders = app.stream("in", value=int).map_values(lambda n: Order(n, "x"), value=ms.AvroSerde(Order, registry=client))
    orders.to("out")
    with TestDriver(app, settings=SKIPS) as driver, pytest.raises(RegistryError, match="in-0 offset 0: the schema reg"):
        driver.pipe("in", 1)
    app = ms.App("x")
    app.stream("in", value=int).map_values(
        lambda n: Order(n, "x"), value=ms.AvroSerde(Order, registry=client)
    ).to_table(store="rows")
    with TestDriver(app, settings=SKIPS) as driver, pytest.raises(RegistryError, match="the schema registry at"):
        driver.pipe("in", 1, key="k")


def test_a_global_table_waits_for_the_registry_too(registry: Registry) -> None:
    data = of_values(ms.AvroSerde(Order, registry=ms.SchemaRegistry(registry.url))).encode(Order(1, "tea"))
    client = ms.SchemaRegistry(registry.url, config=IMPATIENT)
    app = ms.App("x")
    known = app.global_table("orders", value=ms.AvroSerde(Order, registry=client), store="known")
    app.stream("in", value=str).join(known, lambda _v, order: order.item, key=lambda v: v, result=str).to("out")
    with TestDriver(app, settings=SKIPS) as driver:
        registry.broken = True
        with pytest.raises(RegistryError, match=r"orders-0 offset 0: the schema registry at"):
            driver.pipe_bytes("orders", data, key=b"k")
        registry.broken = False
        driver.pipe_bytes("orders", data, key=b"k")
        driver.pipe("in", "k")
        assert [row.value for row in driver.read("out")] == ["tea"]


def test_a_bad_record_is_skipped_as_any_other(registry: Registry) -> None:
    app = ms.App("x")
    app.stream("orders", value=ms.AvroSerde(Order, registry=ms.SchemaRegistry(registry.url))).to("out")
    with TestDriver(app, settings=SKIPS) as driver:
        driver.pipe_bytes("orders", b"\0\0\0\0\7\2")
        driver.pipe_bytes("orders", b"text")
        assert [row[1] for row in driver.read_bytes("dead")] == [b"\0\0\0\0\7\2", b"text"]


def test_nobody_answers() -> None:
    client = ms.SchemaRegistry("http://127.0.0.1:1", config=IMPATIENT)
    with pytest.raises(RegistryError, match=r"does not answer: ConnectError: .*; is its address right"):
        of_values(ms.AvroSerde(Order, registry=client)).encode(Order(1, "x"))


def test_messages_show_no_password() -> None:
    client = ms.SchemaRegistry("http://user:secret@127.0.0.1:1", config=IMPATIENT)
    with pytest.raises(RegistryError, match=r"the schema registry at http://127.0.0.1:1, asked") as it:
        of_values(ms.AvroSerde(Order, registry=client)).encode(Order(1, "x"))
    assert "secret" not in str(it.value)


def test_of_the_client_only_the_registrys_is_imported() -> None:
    """The import contract knows packages of other distributions as wholes."""
    package = Path(ms.__file__).parent
    found = {
        node.module
        for path in (package / "serde").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("confluent_kafka")
    }
    assert found == {"confluent_kafka.schema_registry"}
