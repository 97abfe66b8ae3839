"""Topics, looked up and created; the first to notice that no broker answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewTopic

from millstream.client.contract import TopicSpec
from millstream.client.librdkafka.config import Connection, build
from millstream.client.librdkafka.failures import kafka_error, raised
from millstream.errors import BrokerUnavailableError, KafkaError

ATTEMPT_S = 1.0
USABLE_CHECK_S = 0.05
_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"  # of brokers before Kafka 2.8


class LibrdkafkaAdmin:
    """Topics of the cluster.

    Waits for an answer as long as the call says, but for the first one no longer than the connection's limit.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last_error: RdKafkaError | None = None
        self._answered = False
        self._client: AdminClient = build(AdminClient, connection.for_admin() | {"error_cb": self._on_error})

    def partition_counts(self, *, timeout_ms: int) -> Mapping[str, int]:
        topics = self._metadata(timeout_ms).topics
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def topic_ids(self, topics: Sequence[str], *, timeout_ms: int) -> Mapping[str, str]:
        until = time.monotonic() + timeout_ms / 1000
        while topics:
            try:
                found = self._ids(topics, max(until - time.monotonic(), USABLE_CHECK_S))
            except KafkaError as error:  # a topic that was just created is unknown to some brokers for a moment
                if not error.retriable or time.monotonic() > until:
                    raise
                time.sleep(USABLE_CHECK_S)
            else:
                return {name: each for name, each in found.items() if each != _NO_ID}
        return {}

    def _ids(self, topics: Sequence[str], limit_s: float) -> dict[str, str]:
        found = {}
        for name, future in self._client.describe_topics(
            TopicCollection(list(topics)), request_timeout=limit_s
        ).items():
            try:
                found[name] = str(future.result(limit_s).topic_id)
            except KafkaException as failed:
                raise raised(failed, f"asking for the id of topic {name}") from failed
        return found

    def create_topics(self, topics: Sequence[TopicSpec], *, timeout_ms: int) -> None:
        if not topics:
            return
        until = time.monotonic() + timeout_ms / 1000
        wanted = [NewTopic(t.name, t.partitions, t.replication, config=dict(t.config)) for t in topics]
        for name, future in self._client.create_topics(wanted, request_timeout=timeout_ms / 1000).items():
            try:
                future.result(timeout_ms / 1000)
            except KafkaException as failed:
                if failed.args[0].code() != RdKafkaError.TOPIC_ALREADY_EXISTS:
                    raise raised(failed, f"creating topic {name}") from failed
        while missing := self._not_usable([t.name for t in topics], until):
            if time.monotonic() > until:
                raise KafkaError(
                    f"topic {missing[0]} was created but has no leader after {timeout_ms} ms", retriable=True
                )
            time.sleep(USABLE_CHECK_S)

    def close(self) -> None:
        del self._client

    def _not_usable(self, names: Sequence[str], until: float) -> list[str]:
        topics = self._metadata(max(1, round(1000 * (until - time.monotonic())))).topics
        return [
            name
            for name in names
            if name not in topics or any(p.leader < 0 or p.error for p in topics[name].partitions.values())
        ]

    def _metadata(self, timeout_ms: int) -> ClusterMetadata:
        if not self._answered:
            timeout_ms = min(timeout_ms, self._connection.unavailable_after_ms)
        until = time.monotonic() + timeout_ms / 1000
        while (left := until - time.monotonic()) > 0:
            try:
                metadata = self._client.list_topics(timeout=min(left, ATTEMPT_S))
            except KafkaException as failed:
                self._client.poll(0)
                self._refuse_hopeless(failed)
            else:
                self._answered = True
                return metadata
        why = f" ({self._last_error.str()})" if self._last_error else ""
        raise BrokerUnavailableError(
            f"no Kafka broker answers at {self._connection.bootstrap_servers} within {timeout_ms / 1000:g} s{why}; "
            "start one there, or give another address",
            code=RdKafkaError._TRANSPORT,
            retriable=True,
        )

    def _refuse_hopeless(self, failed: KafkaException) -> None:
        """Raise at once what waiting cannot mend, such as a wrong password."""
        doing = f"connecting to {self._connection.bootstrap_servers}"
        for error in (failed.args[0], self._last_error):
            if error is not None and not (problem := kafka_error(error, doing)).retriable:
                raise problem from failed

    def _on_error(self, error: RdKafkaError) -> None:
        if error.code() != RdKafkaError._ALL_BROKERS_DOWN:  # says less than the error before it
            self._last_error = error
