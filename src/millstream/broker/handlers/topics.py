"""Topics made, deleted and grown: CreateTopics, DeleteTopics, CreatePartitions."""

from __future__ import annotations

import contextlib
from collections import Counter

from kio.schema.create_partitions.v3.request import CreatePartitionsRequest, CreatePartitionsTopic
from kio.schema.create_topics.v7.request import CreatableTopic, CreateTopicsRequest
from kio.schema.delete_topics.v6.request import DeleteTopicsRequest, DeleteTopicState
from kio.schema.errors import ErrorCode

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.protocol.answers.topics import (
    CreatedPartitions,
    CreatedTopic,
    CreatedTopicConfig,
    CreatedTopics,
    DeletedTopic,
    DeletedTopics,
    TopicResult,
)
from millstream.broker.topics.catalogue import TopicError
from millstream.broker.topics.configs import TOPIC_CONFIGS, config_problem

_SET_ON_TOPIC, _DEFAULT = 1, 5


def create_topics(broker: Broker, call: Call, message: CreateTopicsRequest, reply: Reply) -> None:
    named = Counter(topic.name for topic in message.topics)
    results = []
    for topic in message.topics:
        try:
            if named[topic.name] > 1:
                raise TopicError(ErrorCode.invalid_request, f"Topic '{topic.name}' is named more than once.")
            results.append(_create(broker, topic, validate_only=message.validate_only))
        except TopicError as error:
            results.append(CreatedTopic(topic.name, error.code, str(error)))
        except OSError as error:
            results.append(CreatedTopic(topic.name, ErrorCode.kafka_storage_error, str(error)))
    reply(CreatedTopics(tuple(results)))


def _create(broker: Broker, asked: CreatableTopic, *, validate_only: bool) -> CreatedTopic:
    partitions = _partition_count(broker, asked)
    configs = {}
    for config in asked.configs:
        problem = config_problem(config.name, config.value)
        if problem or config.value is None:
            raise TopicError(ErrorCode.invalid_config, problem or "")
        configs[config.name] = config.value
    topic_id = None
    if validate_only:
        broker.catalogue.check_new(asked.name, partitions)
    else:
        topic_id = broker.create_topic(asked.name, partitions, configs).topic_id
    told = tuple(
        CreatedTopicConfig(
            name,
            configs.get(name, config.default),
            read_only=False,
            config_source=_SET_ON_TOPIC if name in configs else _DEFAULT,
        )
        for name, config in TOPIC_CONFIGS.items()
    )
    return CreatedTopic(asked.name, topic_id=topic_id, num_partitions=partitions, replication_factor=1, configs=told)


def _partition_count(broker: Broker, asked: CreatableTopic) -> int:
    if asked.assignments:
        if asked.num_partitions != -1 or asked.replication_factor != -1:
            text = "Both partition counts and a replica assignment are given; only one of them may be."
            raise TopicError(ErrorCode.invalid_request, text)
        indexes = sorted(each.partition_index for each in asked.assignments)
        if indexes != list(range(len(indexes))) or any(
            each.broker_ids != (broker.settings.node_id,) for each in asked.assignments
        ):
            text = f"Partitions must be numbered from 0, each with one replica on broker {broker.settings.node_id}."
            raise TopicError(ErrorCode.invalid_replica_assignment, text)
        return len(indexes)
    if asked.replication_factor not in {-1, 1}:
        text = f"Replication factor {asked.replication_factor} is not possible with 1 broker."
        raise TopicError(ErrorCode.invalid_replication_factor, text)
    return broker.settings.partitions if asked.num_partitions == -1 else asked.num_partitions


def delete_topics(broker: Broker, call: Call, message: DeleteTopicsRequest, reply: Reply) -> None:
    """From version 6 on a topic is named by its name or by its id."""
    named = Counter((each.name, each.topic_id) for each in message.topics)
    results = []
    for asked in message.topics:
        if named[asked.name, asked.topic_id] > 1 or (asked.name is None) == (asked.topic_id is None):
            text = "A topic is named once, and either by its name or by its id."
            results.append(DeletedTopic(asked.name, ErrorCode.invalid_request, text, asked.topic_id))
        else:
            results.append(_delete(broker, asked))
    reply(DeletedTopics(tuple(results)))


def _delete(broker: Broker, asked: DeleteTopicState) -> DeletedTopic:
    by_id = asked.name is None
    topic = broker.catalogue.with_id(asked.topic_id) if asked.name is None else broker.catalogue.get(asked.name)
    if topic is None:
        code = ErrorCode.unknown_topic_id if by_id else ErrorCode.unknown_topic_or_partition
        text = f"There is no topic with the id {asked.topic_id}." if by_id else f"There is no topic '{asked.name}'."
        return DeletedTopic(asked.name, code, text, asked.topic_id)
    try:
        broker.catalogue.delete(topic.name)
    except OSError as error:
        return DeletedTopic(topic.name, ErrorCode.kafka_storage_error, str(error), topic.topic_id)
    broker.partitions.remove(topic)
    with contextlib.suppress(OSError):  # the topic is gone for good; commits of it that stay do no harm
        broker.groups.offsets.delete_topic(topic.name)
    return DeletedTopic(topic.name, topic_id=topic.topic_id)


def create_partitions(broker: Broker, call: Call, message: CreatePartitionsRequest, reply: Reply) -> None:
    results = []
    for asked in message.topics:
        try:
            _grow(broker, asked, validate_only=message.validate_only)
            results.append(TopicResult(asked.name))
        except TopicError as error:
            results.append(TopicResult(asked.name, error.code, str(error)))
        except OSError as error:
            results.append(TopicResult(asked.name, ErrorCode.kafka_storage_error, str(error)))
    reply(CreatedPartitions(tuple(results)))


def _grow(broker: Broker, asked: CreatePartitionsTopic, *, validate_only: bool) -> None:
    grown = broker.catalogue.check_growth(asked.name, asked.count)
    known = broker.catalogue.get(asked.name)
    if asked.assignments is not None and known is not None:
        added = grown.partitions - known.partitions
        if len(asked.assignments) != added or any(
            each.broker_ids != (broker.settings.node_id,) for each in asked.assignments
        ):
            text = f"An assignment must name broker {broker.settings.node_id} for each of the {added} new partitions."
            raise TopicError(ErrorCode.invalid_replica_assignment, text)
    if not validate_only:
        broker.partitions.add(broker.catalogue.grow(asked.name, asked.count))
