"""A group as its coordinator tells of it, asked for without waiting."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._group import ConsumerGroupDescription

from millstream.client.contract import Member
from millstream.client.librdkafka.config import Connection, build
from millstream.model import TopicPartition

LOG = logging.getLogger("millstream.librdkafka")

LIMIT_S = 10.0


class LibrdkafkaGroupView:
    """Describes one group."""

    def __init__(self, connection: Connection, group: str) -> None:
        self._group = group
        self._admin: AdminClient = build(AdminClient, connection.for_admin())
        self._asked: Future[ConsumerGroupDescription] | None = None

    def ask(self) -> None:
        if self._asked is None:
            asked = self._admin.describe_consumer_groups([self._group], request_timeout=LIMIT_S)
            self._asked = asked[self._group]

    def members(self) -> Sequence[Member] | None:
        if self._asked is None or not self._asked.done():
            return None
        asked, self._asked = self._asked, None
        try:
            found = asked.result(0)
        except KafkaException as failed:
            LOG.warning("asking who is in group %s: %s; trying again", self._group, failed.args[0])
            return None
        if found.state is not ConsumerGroupState.STABLE:
            return None
        return [
            Member(
                each.member_id,
                each.client_id,
                frozenset(TopicPartition(p.topic, p.partition) for p in each.assignment.topic_partitions),
            )
            for each in found.members
        ]

    def close(self) -> None:
        self._asked = None
        del self._admin
