"""How far an application is: what its group has committed of the topics that it reads."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

LIMIT_S = 10.0


class Progress:
    """Of one application that reads one topic, and its own repartition topics of one partition."""

    def __init__(self, bootstrap: str, application_id: str, topic: str, partitions: int = 1) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._group = application_id
        # asked as a consumer of the group, which it never joins: while the group's coordinator is still being loaded,
        # librdkafka 2.16's `list_consumer_group_offsets` may crash the process
        self._reader = Consumer({"bootstrap.servers": bootstrap, "group.id": application_id, "log_level": 0})
        self._inputs = [TopicPartition(topic, number) for number in range(partitions)]
        self._between: list[TopicPartition] | None = None  # known from the first commit on

    def committed(self) -> int:
        """Records of the input that are processed and committed."""
        return sum(self._committed(self._inputs).values())

    def repartitioned(self) -> int:
        """Records of the repartition topics that are processed and committed."""
        return sum(self._committed(self._repartition()).values())

    def complete(self, records: int) -> bool:
        """Whether everything is processed and committed, repartitioned records too."""
        if self.committed() < records:
            return False
        committed = self._committed(self._repartition())
        try:
            return all(committed.get(partition, 0) >= end for partition, end in self._ends().items())
        except KafkaException:  # a node that has too little of a processor may lose its leadership for a moment
            return False

    def _repartition(self) -> list[TopicPartition]:
        if self._between is None:
            names = self._admin.list_topics(timeout=LIMIT_S).topics
            own = [name for name in names if name.startswith(f"{self._group}-") and name.endswith("-repartition")]
            if own or self.committed():
                self._between = [TopicPartition(name, 0) for name in own]
        return self._between or []

    def _committed(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            answer = self._reader.committed(partitions, timeout=LIMIT_S) if partitions else []
        except KafkaException:  # the group is not there yet
            return {}
        return {TopicPartition(each.topic, each.partition): max(each.offset, 0) for each in answer}

    def _ends(self) -> dict[TopicPartition, int]:
        if not self._repartition():
            return {}
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = self._admin.list_offsets(dict.fromkeys(self._repartition(), latest))
        return {partition: done.result(LIMIT_S).offset for partition, done in asked.items()}
