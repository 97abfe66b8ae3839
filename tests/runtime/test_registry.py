"""Workers on both brokers, with a schema registry; Confluent's own serialisers write the input and read the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import SerializingProducer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, StringSerializer
from tests.client.brokers import unique
from tests.runtime.running import latest, read_all, running
from tests.serde.messages import Order as OrderMessage
from tests.serde.registry import Registry, serving

import millstream as ms
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.errors import RegistryError

ORDER = """{"type": "record", "name": "Order", "fields": [
    {"name": "item", "type": "string"}, {"name": "cents", "type": "long"}]}"""


class Order(ms.Record):
    item: str
    cents: int
    note: str | None = None  # the producer's schema is older


class Total(ms.Record):
    orders: int
    cents: int


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as running_registry:
        yield running_registry


def totals(name: str, source: str, sink: str, url: str) -> ms.App:
    client = ms.SchemaRegistry(url, config={"max.retries": 0})
    app = ms.App(name, commit_interval="200ms", emit="every")
    orders = app.stream(source, value=ms.AvroSerde(Order, registry=client))
    keyed = orders.group_by("item", key=ms.AvroSerde(str, registry=client))
    table = keyed.aggregate(
        initializer=lambda: Total(0, 0),
        aggregator=lambda order, total: Total(total.orders + 1, total.cents + order.cents),
        value=ms.AvroSerde(Total, registry=client),
        store="totals",
    )
    table.to_stream().to(sink)
    return app


def produce(bootstrap: str, topic: str, url: str, orders: list[dict[str, object]]) -> None:
    producer = SerializingProducer(
        {
            "bootstrap.servers": bootstrap,
            "key.serializer": StringSerializer(),
            "value.serializer": AvroSerializer(SchemaRegistryClient({"url": url}), ORDER),
        }
    )
    for number, order in enumerate(orders):
        producer.produce(topic, key=f"k{number}", value=order)
    assert producer.flush(10) == 0


def test_avro_from_end_to_end(
    bootstrap: str, client: LibrdkafkaClient, new_topic: Callable[..., str], registry: Registry
) -> None:
    """Through a repartition topic and a changelog, which is restored."""
    source, sink, name = new_topic("orders", 2), new_topic("totals", 2), unique("shop")
    for _ in range(2):
        produce(bootstrap, source, registry.url, [{"item": f"item{n % 5}", "cents": n} for n in range(50)])
        with running(totals(name, source, sink, registry.url), client) as worker:
            worker.until(lambda status: status.records == 100)
            worker.stop()
    read = AvroDeserializer(SchemaRegistryClient({"url": registry.url}))
    key, value = (SerializationContext(sink, field) for field in (MessageField.KEY, MessageField.VALUE))
    found = {read(raw_key, key): read(raw, value) for raw_key, raw in latest(read_all(client, sink, 2)).items()}
    expected = {f"item{i}": {"orders": 20, "cents": 2 * sum(range(i, 50, 5))} for i in range(5)}
    assert found == expected
    internal = [f"{name}-totals-{kind}-{part}" for kind in ("changelog", "repartition") for part in ("key", "value")]
    assert registry.subjects == sorted([f"{source}-value", f"{sink}-key", f"{sink}-value", *internal])


def test_protobuf_from_end_to_end(
    bootstrap: str, client: LibrdkafkaClient, new_topic: Callable[..., str], registry: Registry
) -> None:
    source, sink = new_topic("orders", 1), new_topic("out", 1)
    theirs = SchemaRegistryClient({"url": registry.url})
    producer = SerializingProducer(
        {"bootstrap.servers": bootstrap, "value.serializer": ProtobufSerializer(OrderMessage, theirs)}
    )
    for number in range(20):
        producer.produce(source, value=OrderMessage(id=number, item="tea"))
    assert producer.flush(10) == 0
    app = ms.App(unique("shop"), commit_interval="200ms")
    serde = ms.ProtobufSerde(OrderMessage, registry=ms.SchemaRegistry(registry.url))
    app.stream(source, value=serde).filter(lambda order: order.id >= 10).to(sink)
    with running(app, client) as worker:
        worker.until(lambda status: status.records == 20)
        worker.stop()
    read, context = ProtobufDeserializer(OrderMessage), SerializationContext(sink, MessageField.VALUE)
    found = [read(raw, context) for _, raw, _ in read_all(client, sink, 1)]
    assert found == [OrderMessage(id=number, item="tea") for number in range(10, 20)]


def test_a_worker_stops_while_the_registry_is_down_and_goes_on_where_it_was(
    bootstrap: str, client: LibrdkafkaClient, new_topic: Callable[..., str], registry: Registry
) -> None:
    """Nothing is skipped, although the handlers say so."""
    source, sink, name = new_topic("orders", 1), new_topic("totals", 1), unique("shop")
    produce(bootstrap, source, registry.url, [{"item": "tea", "cents": 1}] * 3)

    def app() -> ms.App:
        made = totals(name, source, sink, registry.url)
        made.configure(on_decode_error="skip", on_error="skip", on_send_error="skip")
        return made

    registry.broken = True
    with running(app(), client) as worker:
        error = worker.until_failed()
    assert isinstance(error, RegistryError)
    assert error.retriable
    assert f"{source}-0 offset 0: the schema registry at {registry.url}" in str(error)
    registry.broken = False
    with running(app(), client) as worker:
        status = worker.until(lambda status: status.records == 6)
        worker.stop()
    assert status.dropped == 0
    assert len(read_all(client, sink, 1)) == 3
