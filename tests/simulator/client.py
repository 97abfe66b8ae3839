"""The client contract over simulated connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kio.schema.errors import ErrorCode

from millstream.client.contract import TopicSpec
from millstream.errors import KafkaError
from tests.simulator import requests
from tests.simulator.consumer import SimulatedConsumer
from tests.simulator.group_view import SimulatedGroupView
from tests.simulator.host import RETRY_MS, Process
from tests.simulator.membership import SimulatedMembership
from tests.simulator.producer import SimulatedProducer
from tests.simulator.transactions import SimulatedTransactionalProducer


class SimulatedAdmin:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._connection = process.connect("admin")

    def partition_counts(self, *, timeout_ms: int) -> Mapping[str, int]:
        answer = self._process.ask(self._connection, requests.metadata(), timeout_ms, "looking topics up")
        return {topic.name: len(topic.partitions) for topic in answer.topics}

    def topic_ids(self, topics: Sequence[str], *, timeout_ms: int) -> Mapping[str, str]:
        answer = self._process.ask(self._connection, requests.metadata(), timeout_ms, "looking topics up")
        return {topic.name: str(topic.topic_id) for topic in answer.topics if topic.name in topics}

    def create_topics(self, topics: Sequence[TopicSpec], *, timeout_ms: int) -> None:
        left = list(topics)
        until_ms = self._process.schedule.now_ms + timeout_ms
        while left:
            request = requests.create_topics(left)
            answer = self._process.ask(self._connection, request, timeout_ms, "creating topics")
            errors = {each.name: each.error_code for each in answer.topics}
            fine = {ErrorCode.none, ErrorCode.topic_already_exists}
            left = [spec for spec in left if errors[spec.name] not in fine]
            if left:
                code = errors[left[0].name]
                retriable = code is ErrorCode.kafka_storage_error
                if not retriable or self._process.schedule.now_ms > until_ms:
                    raise KafkaError(f"creating topic {left[0].name}: {code.name}", code=int(code), retriable=retriable)
                self._process.pause(RETRY_MS)

    def close(self) -> None:
        self._connection.close()


class SimulatedClient:
    def __init__(self, process: Process) -> None:
        self._process = process

    def data_consumer(self, name: str, *, read_committed: bool = False, strict: bool = False) -> SimulatedConsumer:
        del name
        return SimulatedConsumer(self._process, committed_only=read_committed, strict=strict)

    def membership(
        self,
        group: str,
        topic: str,
        *,
        instance: str | None = None,
        read_committed: bool = False,
        client: str | None = None,
    ) -> SimulatedMembership:
        assert instance is None, "the simulated members are dynamic"
        admin = self.admin()
        partitions = admin.partition_counts(timeout_ms=10_000)[topic]
        admin.close()
        return SimulatedMembership(self._process, group, (topic, partitions), stable=read_committed, client=client)

    def group_view(self, group: str) -> SimulatedGroupView:
        return SimulatedGroupView(self._process, group)

    def producer(self) -> SimulatedProducer:
        return SimulatedProducer(self._process)

    def transactional_producer(self, transactional_id: str, *, timeout_ms: int) -> SimulatedTransactionalProducer:
        return SimulatedTransactionalProducer(self._process, transactional_id, timeout_ms)

    def admin(self) -> SimulatedAdmin:
        return SimulatedAdmin(self._process)
