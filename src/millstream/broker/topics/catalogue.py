"""The catalogue of topics: which there are, their ids, partition counts, configurations and log starts; durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from kio.schema.errors import ErrorCode

from millstream.broker.journal import Journal
from millstream.broker.topics.names import colliding_name, name_problem
from millstream.model import TopicPartition

_TOPIC = "topic/"
_START = "start/"
MOST_PARTITIONS = 10_000
INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state"})


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    topic_id: UUID
    partitions: int
    configs: Mapping[str, str]


class TopicError(Exception):
    """A topic cannot be made or changed so; `code` is what Kafka answers."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Room(NamedTuple):
    """How many topics there may be, and how many partitions all of them together may have."""

    topics: int = 10_000
    partitions: int = 50_000


ROOM = Room()


class Catalogue:
    """Topics by name. What a method has returned from is durable. `new_id` makes the ids of new topics."""

    def __init__(self, journal: Journal, new_id: Callable[[], UUID], room: Room = ROOM) -> None:
        self._room = room
        self._journal = journal
        self._new_id = new_id
        self._topics: dict[str, Topic] = {}
        self._names: dict[UUID, str] = {}
        self.version = 0
        """Another number after every change of the topics."""
        for key, value in journal.items():
            if key.startswith(_TOPIC):
                name = key.removeprefix(_TOPIC)
                self._keep(Topic(name, UUID(value["id"]), value["partitions"], value["configs"]))

    def get(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def with_id(self, topic_id: UUID | None) -> Topic | None:
        """The topic that has this id now; one that was deleted and made again has another (KIP-516)."""
        return None if topic_id is None else self._topics.get(self._names.get(topic_id, ""))

    def by_name(self) -> Mapping[str, Topic]:
        return self._topics

    def topics(self) -> list[Topic]:
        """All topics, by name."""
        return [self._topics[name] for name in sorted(self._topics)]

    def check_new(self, name: str, partitions: int) -> None:
        """Raise TopicError if this topic could not be created."""
        problem = name_problem(name)
        if problem:
            raise TopicError(ErrorCode.invalid_topic_exception, problem)
        if name in self._topics:
            raise TopicError(ErrorCode.topic_already_exists, f"Topic '{name}' already exists.")
        other = colliding_name(name, self._topics)
        if other:
            text = f"Topic '{name}' collides with existing topic '{other}'."
            raise TopicError(ErrorCode.invalid_topic_exception, text)
        if not 1 <= partitions <= MOST_PARTITIONS:
            text = f"Number of partitions must be between 1 and {MOST_PARTITIONS}, not {partitions}."
            raise TopicError(ErrorCode.invalid_partitions, text)
        if len(self._topics) >= self._room.topics:
            text = f"There are {len(self._topics)} topics, and no more are allowed here (max.topics)."
            raise TopicError(ErrorCode.policy_violation, text)
        self._check_room(partitions)

    def _check_room(self, more: int) -> None:
        """Raise TopicError if so many more partitions would be too many."""
        total = sum(topic.partitions for topic in self._topics.values())
        if total + more > self._room.partitions:
            text = f"There are {total} partitions, and no more than {self._room.partitions} are allowed here"
            raise TopicError(ErrorCode.policy_violation, f"{text} (max.partitions).")

    def create(self, name: str, partitions: int, configs: Mapping[str, str]) -> Topic:
        """Add a topic. Raises TopicError."""
        self.check_new(name, partitions)
        topic = Topic(name, self._new_id(), partitions, dict(configs))
        self._store(topic)
        return topic

    def check_growth(self, name: str, partitions: int) -> Topic:
        """The topic as it would be with `partitions` partitions. Raises TopicError."""
        topic = self._topics.get(name)
        if topic is None:
            raise TopicError(ErrorCode.unknown_topic_or_partition, f"The topic '{name}' does not exist.")
        if partitions <= topic.partitions:
            text = f"The topic '{name}' has {topic.partitions} partition(s); {partitions} would not be an increase."
            raise TopicError(ErrorCode.invalid_partitions, text)
        if partitions > MOST_PARTITIONS:
            raise TopicError(ErrorCode.invalid_partitions, f"At most {MOST_PARTITIONS} partitions are supported.")
        self._check_room(partitions - topic.partitions)
        return replace(topic, partitions=partitions)

    def grow(self, name: str, partitions: int) -> Topic:
        topic = self.check_growth(name, partitions)
        self._store(topic)
        return topic

    def configure(self, name: str, configs: Mapping[str, str]) -> Topic:
        """Replace the topic's own configuration; the topic must exist."""
        topic = replace(self._topics[name], configs=dict(configs))
        self._store(topic)
        return topic

    def delete(self, name: str) -> Topic | None:
        """Remove the topic and its log starts; the removed topic, or None if there was none."""
        topic = self._topics.get(name)
        if topic is None:
            return None
        starts = [_START + str(TopicPartition(name, partition)) for partition in range(topic.partitions)]
        gone = {key: None for key in starts if key in self._journal}
        self._journal.put({_TOPIC + name: None, **gone})
        del self._names[topic.topic_id]
        self.version += 1
        return self._topics.pop(name)

    def start_offset(self, partition: TopicPartition) -> int:
        """Where the partition's log begins since records were deleted; 0 if none ever were."""
        return int(self._journal.get(_START + str(partition)) or 0)

    def set_start_offset(self, partition: TopicPartition, offset: int) -> None:
        self._journal.put({_START + str(partition): offset})

    def _store(self, topic: Topic) -> None:
        value = {"id": str(topic.topic_id), "partitions": topic.partitions, "configs": dict(topic.configs)}
        self._journal.put({_TOPIC + topic.name: value})
        self._keep(topic)

    def _keep(self, topic: Topic) -> None:
        self._topics[topic.name] = topic
        self._names[topic.topic_id] = topic.name
        self.version += 1
