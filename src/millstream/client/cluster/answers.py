"""Questions to a cluster's brokers, each with a limit, and librdkafka's answers or errors as ours."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as RdTopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from millstream.client.librdkafka.admin import LibrdkafkaAdmin
from millstream.client.librdkafka.config import Connection, build
from millstream.client.librdkafka.failures import raised
from millstream.errors import KafkaError

K = TypeVar("K")
V = TypeVar("V")


class Caller:
    """The admin client of one command. Its first call finds out whether there is a broker at all."""

    def __init__(self, connection: Connection, *, timeout_ms: int = 30_000) -> None:
        self.connection = connection
        self.timeout_ms = timeout_ms
        self.admin: AdminClient = build(AdminClient, connection.for_admin())
        first = LibrdkafkaAdmin(connection)
        try:
            first.partition_counts(timeout_ms=timeout_ms)
        finally:
            first.close()

    @property
    def timeout_s(self) -> float:
        return self.timeout_ms / 1000

    def answer(self, future: Future[V], doing: str) -> V:
        """One answer. Raises KafkaError with what was being done."""
        try:
            return future.result(self.timeout_s + 1)
        except KafkaException as failed:
            raise raised(failed, doing) from failed
        except FutureTimeoutError as late:
            raise KafkaError(
                f"{doing}: no answer within {self.timeout_ms} ms", code=RdKafkaError._TIMED_OUT, retriable=True
            ) from late

    def answers(self, futures: Mapping[K, Future[V]], doing: str) -> dict[K, V]:
        """An answer for each key; the first that failed is raised when all are there."""
        found: dict[K, V] = {}
        failure: KafkaError | None = None
        for key, future in futures.items():
            try:
                found[key] = self.answer(future, f"{doing} {_shown(key)}")
            except KafkaError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return found

    def partitions(self, topics: list[str] | None = None) -> dict[str, int]:
        """Partition counts of all topics, or of those named; KafkaError for one that does not exist."""
        try:
            known = self.admin.list_topics(timeout=self.timeout_s).topics
        except KafkaException as failed:
            raise raised(failed, "listing topics") from failed
        if topics is None:
            return {name: len(topic.partitions) for name, topic in known.items()}
        for name in topics:
            if name not in known or known[name].error is not None:
                raise KafkaError(f"there is no topic {name!r}; `millstream topics list` shows those there are", code=3)
        return {name: len(known[name].partitions) for name in topics}


def _shown(key: Any) -> str:
    match key:
        case RdTopicPartition(topic=topic, partition=partition):
            return f"{topic}-{partition}"
        case ConfigResource(name=name):
            return name
        case _:
            return str(key)
