"""Topics of a cluster: listed, described, made, changed, emptied, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import TopicPartition as RdTopicPartition
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from millstream.client.cluster.answers import Caller
from millstream.client.cluster.positions import Position, Positions
from millstream.model import TopicPartition


@dataclass(frozen=True, slots=True)
class PartitionDetails:
    """One partition: its first offset, its end offset, and the brokers that have it."""

    partition: int
    first_offset: int
    end_offset: int
    leader: int
    replicas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TopicDetails:
    """A topic with its partitions, and the settings that are not the broker's defaults."""

    name: str
    partitions: tuple[PartitionDetails, ...]
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NewTopicSpec:
    """A topic to be made. `replication` -1 is the broker's default."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class Topics:
    """Each method asks the cluster, and raises KafkaError with what was being done where it refuses."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._positions = Positions(caller)

    def list(self) -> dict[str, int]:
        """Partition counts by name, in order."""
        return dict(sorted(self._caller.partitions().items()))

    def describe(self, names: Sequence[str]) -> tuple[TopicDetails, ...]:
        counts = self._caller.partitions([*names])
        spans = self._positions.bounds(
            TopicPartition(name, number) for name, count in counts.items() for number in range(count)
        )
        known = self._caller.admin.list_topics(timeout=self._caller.timeout_s).topics
        return tuple(
            TopicDetails(
                name,
                tuple(
                    PartitionDetails(number, *spans[TopicPartition(name, number)], each.leader, tuple(each.replicas))
                    for number, each in sorted(known[name].partitions.items())
                ),
                config,
            )
            for name, config in self._own_config(names).items()
        )

    def create(self, topic: NewTopicSpec) -> None:
        new = NewTopic(topic.name, topic.partitions, topic.replication, config=dict(topic.config))
        futures = self._caller.admin.create_topics([new], request_timeout=self._caller.timeout_s)
        self._caller.answers(futures, "creating topic")

    def delete(self, names: Sequence[str]) -> None:
        futures = self._caller.admin.delete_topics([*names], request_timeout=self._caller.timeout_s)
        self._caller.answers(futures, "deleting topic")

    def add_partitions(self, name: str, total: int) -> None:
        """Partitions can only become more; records stay in those they are in."""
        futures = self._caller.admin.create_partitions(
            [NewPartitions(name, total)], request_timeout=self._caller.timeout_s
        )
        self._caller.answers(futures, "adding partitions to topic")

    def configure(self, name: str, put: Mapping[str, str], unset: Sequence[str]) -> None:
        """Set some of a topic's settings, give others back to the broker's defaults, leave the rest."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in put.items()
        ] + [ConfigEntry(key, None, incremental_operation=AlterConfigOpType.DELETE) for key in unset]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        futures = self._caller.admin.incremental_alter_configs([resource], request_timeout=self._caller.timeout_s)
        self._caller.answers(futures, "configuring topic")

    def delete_records(self, name: str, before: Position) -> dict[int, int]:
        """Delete what comes before a position; the first offset that is left, by partition."""
        count = self._caller.partitions([name])[name]
        spans = self._positions.bounds(TopicPartition(name, number) for number in range(count))
        until = self._positions.resolve(before, spans)
        futures = self._caller.admin.delete_records(
            [RdTopicPartition(*each, offset) for each, offset in until.items()],
            request_timeout=self._caller.timeout_s,
        )
        left = self._caller.answers(futures, "deleting records of")
        return {each.partition: deleted.low_watermark for each, deleted in left.items()}

    def _own_config(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        futures = self._caller.admin.describe_configs(resources, request_timeout=self._caller.timeout_s)
        return {
            resource.name: {
                name: str(entry.value)
                for name, entry in sorted(entries.items())
                if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
            }
            for resource, entries in self._caller.answers(futures, "reading the settings of topic").items()
        }
