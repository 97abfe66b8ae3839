"""The clients of one application for one cluster, made from one connection."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.client.librdkafka.admin import LibrdkafkaAdmin
from millstream.client.librdkafka.config import Connection
from millstream.client.librdkafka.consumer import LibrdkafkaDataConsumer
from millstream.client.librdkafka.group_view import LibrdkafkaGroupView
from millstream.client.librdkafka.membership import LibrdkafkaMembership
from millstream.client.librdkafka.producer import LibrdkafkaProducer
from millstream.client.librdkafka.transactions import LibrdkafkaTransactionalProducer

NOTHING: Mapping[str, object] = {}


class LibrdkafkaClient:
    """Makes the clients of one application for one cluster.

    `common`, `consumer` and `producer` are librdkafka's own properties, passed through: `common` (security, say) to
    every client. Properties that the runtime depends on (group.id, enable.auto.commit, ..) are refused with
    ConfigError. No broker within `unavailable_after_ms` of the first call of `admin` is a BrokerUnavailableError.

    >>> LibrdkafkaClient("127.0.0.1:9092", common={"sasl.password": "hunter2"})
    LibrdkafkaClient('127.0.0.1:9092')
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        common: Mapping[str, object] = NOTHING,
        consumer: Mapping[str, object] = NOTHING,
        producer: Mapping[str, object] = NOTHING,
        unavailable_after_ms: int = 10_000,
    ) -> None:
        self._connection = Connection(bootstrap_servers, common, consumer, producer, unavailable_after_ms)

    def data_consumer(self, name: str, *, read_committed: bool = False, strict: bool = False) -> LibrdkafkaDataConsumer:
        return LibrdkafkaDataConsumer(self._connection, name, read_committed=read_committed, strict=strict)

    def membership(
        self,
        group: str,
        topic: str,
        *,
        instance: str | None = None,
        read_committed: bool = False,
        client: str | None = None,
    ) -> LibrdkafkaMembership:
        own: dict[str, object] = {"isolation.level": "read_committed"} if read_committed else {}
        if instance is not None:
            own["group.instance.id"] = instance
        if client is not None:
            own["client.id"] = client
        return LibrdkafkaMembership(self._connection, group, topic, own)

    def group_view(self, group: str) -> LibrdkafkaGroupView:
        return LibrdkafkaGroupView(self._connection, group)

    def producer(self) -> LibrdkafkaProducer:
        return LibrdkafkaProducer(self._connection.for_producer())

    def transactional_producer(self, transactional_id: str, *, timeout_ms: int) -> LibrdkafkaTransactionalProducer:
        return LibrdkafkaTransactionalProducer(self._connection.for_transactions(transactional_id, timeout_ms))

    def admin(self) -> LibrdkafkaAdmin:
        return LibrdkafkaAdmin(self._connection)

    def __repr__(self) -> str:
        return f"LibrdkafkaClient({self._connection.bootstrap_servers!r})"
