"""What the cluster is: ApiVersions, Metadata, DescribeTopicPartitions, DescribeCluster, FindCoordinator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kio.schema.describe_cluster.v2.request import DescribeClusterRequest
from kio.schema.describe_topic_partitions.v0.request import DescribeTopicPartitionsRequest
from kio.schema.errors import ErrorCode
from kio.schema.find_coordinator.v6.request import FindCoordinatorRequest
from kio.schema.metadata.v10.request import MetadataRequest, MetadataRequestTopic

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.handlers import operations
from millstream.broker.log.batch import LEADER_EPOCH
from millstream.broker.protocol.answers.cluster import (
    ClusterDescription,
    Coordinator,
    Coordinators,
    Cursor,
    DescribedTopicPartitions,
    FinalizedFeature,
    Metadata,
    Node,
    PartitionMetadata,
    ServedApi,
    ServedApis,
    SupportedFeature,
    TopicMetadata,
)
from millstream.broker.protocol.answers.data import NO_THROTTLE
from millstream.broker.protocol.apis import API_VERSIONS, APIS
from millstream.broker.topics.catalogue import INTERNAL_TOPICS, Topic, TopicError
from millstream.broker.topics.names import name_problem

_NULL_NAMES_FROM = 12
_GROUP_KEY, _TRANSACTION_KEY = 0, 1
_BROKERS, _CONTROLLERS = 1, 2
_MOST_DESCRIBED = 2000

_FEATURES = (("group.version", 0, 1), ("transaction.version", 0, 2))
"""What clients may rely on (KIP-584): the consumer protocol, transactions of version 2. Clients before version 4 of
ApiVersions cannot read features that begin at 0.
"""


def api_versions(broker: Broker, call: Call, message: Any, reply: Reply) -> None:
    """A request of an unknown version comes without a message, and learns which versions there are (KIP-511)."""
    served = [
        ServedApi(api.key, api.advertised_min, api.max_version)
        for api in APIS.values()
        if message is not None or api.key == API_VERSIONS
    ]
    if message is None:
        reply(ServedApis(ErrorCode.unsupported_version, tuple(served)))
        return
    supported = tuple(SupportedFeature(name, low, high) for name, low, high in _FEATURES if low or call.version >= 4)
    finalized = tuple(FinalizedFeature(name, high, high) for name, _, high in _FEATURES)
    reply(ServedApis(ErrorCode.none, tuple(served), NO_THROTTLE, supported, 0, finalized))


def metadata(broker: Broker, call: Call, message: MetadataRequest, reply: Reply) -> None:
    """Null topics are all topics; so is an empty list in version 0, which later means none."""
    asked = message.topics
    create = message.allow_auto_topic_creation
    if asked is None or (call.version == 0 and not asked):
        topics = tuple(_described(broker, topic) for topic in broker.catalogue.topics())
    else:
        topics = tuple(_asked(broker, call, each, create=create) for each in asked)
    if message.include_topic_authorized_operations:
        topics = tuple(replace(topic, topic_authorized_operations=operations.TOPIC) for topic in topics)
    may = operations.told(operations.CLUSTER, asked=message.include_cluster_authorized_operations)
    node = _node(broker, call)
    reply(Metadata((node,), broker.cluster_id, node.node_id, topics, cluster_authorized_operations=may))


def describe_topic_partitions(
    broker: Broker, call: Call, message: DescribeTopicPartitionsRequest, reply: Reply
) -> None:
    """Topics by name, in pages of partitions (KIP-966): no names are all topics, the cursor is where a page begins."""
    names: list[str] = sorted({topic.name for topic in message.topics}) or [
        topic.name for topic in broker.catalogue.topics()
    ]
    cursor, left = message.cursor, max(1, min(message.response_partition_limit, _MOST_DESCRIBED))
    topics: list[TopicMetadata] = []
    for name in names:
        if cursor is not None and name < cursor.topic_name:
            continue
        first = cursor.partition_index if cursor is not None and name == cursor.topic_name else 0
        if not left:
            reply(DescribedTopicPartitions(tuple(topics), Cursor(name, first)))
            return
        found = _find(broker, name, create=False)
        page = found.partitions[first : first + left]
        topics.append(replace(found, partitions=page, topic_authorized_operations=operations.TOPIC))
        left -= len(page)
        if first + len(page) < len(found.partitions):
            reply(DescribedTopicPartitions(tuple(topics), Cursor(name, first + len(page))))
            return
    reply(DescribedTopicPartitions(tuple(topics)))


def describe_cluster(broker: Broker, call: Call, message: DescribeClusterRequest, reply: Reply) -> None:
    """Brokers only: the controllers, which newer versions can ask for, have no address of their own here."""
    if message.endpoint_type == _BROKERS:
        may = operations.told(operations.CLUSTER, asked=message.include_cluster_authorized_operations)
        nodes = (_node(broker, call),)
        described = ClusterDescription(
            broker.cluster_id, broker.settings.node_id, nodes, cluster_authorized_operations=may
        )
        reply(described)
        return
    controllers = message.endpoint_type == _CONTROLLERS
    error = ErrorCode.mismatched_endpoint_type if controllers else ErrorCode.unsupported_endpoint_type
    text = "This is a broker; it has no separate controllers." if controllers else "There is no such endpoint type."
    described = ClusterDescription(broker.cluster_id, -1, (), error, text, endpoint_type=message.endpoint_type)
    reply(described)


def find_coordinator(broker: Broker, call: Call, message: FindCoordinatorRequest, reply: Reply) -> None:
    known = message.key_type in {_GROUP_KEY, _TRANSACTION_KEY}
    error = ErrorCode.none if known else ErrorCode.invalid_request
    node = broker.settings.node_id
    found = tuple(Coordinator(key, error, node, call.host, call.port) for key in message.coordinator_keys)
    reply(Coordinators(found))


def _node(broker: Broker, call: Call) -> Node:
    return Node(broker.settings.node_id, call.host, call.port)


def _asked(broker: Broker, call: Call, asked: MetadataRequestTopic, *, create: bool) -> TopicMetadata:
    """A topic by its name, or else by its id."""
    if asked.name:
        return _find(broker, asked.name, create=create)
    topic = broker.catalogue.with_id(asked.topic_id)
    if topic is not None:
        return _described(broker, topic)
    unknown = ErrorCode.unknown_topic_id if asked.topic_id else ErrorCode.invalid_topic_exception
    nameless = asked.name if call.version >= _NULL_NAMES_FROM else asked.name or ""
    return TopicMetadata(unknown, nameless, asked.topic_id, ())


def _find(broker: Broker, name: str, *, create: bool) -> TopicMetadata:
    topic = broker.catalogue.get(name)
    if topic is None and name_problem(name):
        return TopicMetadata(ErrorCode.invalid_topic_exception, name, None, ())
    if topic is None and create and broker.settings.auto_create_topics:
        try:
            topic = broker.create_topic(name, broker.settings.partitions, {})
        except TopicError as error:
            return TopicMetadata(error.code, name, None, ())
        except OSError:
            return TopicMetadata(ErrorCode.leader_not_available, name, None, ())
    if topic is None:
        return TopicMetadata(ErrorCode.unknown_topic_or_partition, name, None, ())
    return _described(broker, topic)


def _described(broker: Broker, topic: Topic) -> TopicMetadata:
    node = broker.settings.node_id
    partitions = tuple(
        PartitionMetadata(ErrorCode.none, index, node, LEADER_EPOCH, (node,), (node,))
        for index in range(topic.partitions)
    )
    return TopicMetadata(ErrorCode.none, topic.name, topic.topic_id, partitions, topic.name in INTERNAL_TOPICS)
