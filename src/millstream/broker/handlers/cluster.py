"""What the cluster is: ApiVersions, Metadata, DescribeCluster, FindCoordinator."""

from __future__ import annotations

from typing import Any

from kio.schema.describe_cluster.v0.request import DescribeClusterRequest
from kio.schema.errors import ErrorCode
from kio.schema.find_coordinator.v4.request import FindCoordinatorRequest
from kio.schema.metadata.v11.request import MetadataRequest

from millstream.broker.broker import NODE_ID, Broker, Call, Reply
from millstream.broker.log.batch import LEADER_EPOCH
from millstream.broker.protocol.answers.cluster import (
    ClusterDescription,
    Coordinator,
    Coordinators,
    Metadata,
    Node,
    PartitionMetadata,
    ServedApi,
    ServedApis,
    TopicMetadata,
)
from millstream.broker.protocol.apis import API_VERSIONS, APIS
from millstream.broker.topics.catalogue import INTERNAL_TOPICS, Topic, TopicError
from millstream.broker.topics.names import name_problem

DEFAULT_PARTITIONS = 1
_GROUP_KEY, _TRANSACTION_KEY = 0, 1


def api_versions(broker: Broker, call: Call, message: Any, reply: Reply) -> None:
    """A request of an unknown version comes without a message, and learns which versions there are (KIP-511)."""
    served = [
        ServedApi(api.key, api.advertised_min, api.max_version)
        for api in APIS.values()
        if message is not None or api.key == API_VERSIONS
    ]
    reply(ServedApis(ErrorCode.none if message is not None else ErrorCode.unsupported_version, tuple(served)))


def metadata(broker: Broker, call: Call, message: MetadataRequest, reply: Reply) -> None:
    """Null topics are all topics; so is an empty list in version 0, which later means none."""
    asked = message.topics
    if asked is None or (call.version == 0 and not asked):
        topics = tuple(_described(topic) for topic in broker.catalogue.topics())
    else:
        topics = tuple(_find(broker, each.name or "", create=message.allow_auto_topic_creation) for each in asked)
    reply(Metadata((_node(call),), broker.cluster_id, NODE_ID, topics))


def describe_cluster(broker: Broker, call: Call, message: DescribeClusterRequest, reply: Reply) -> None:
    reply(ClusterDescription(broker.cluster_id, NODE_ID, (_node(call),)))


def find_coordinator(broker: Broker, call: Call, message: FindCoordinatorRequest, reply: Reply) -> None:
    known = message.key_type in {_GROUP_KEY, _TRANSACTION_KEY}
    error = ErrorCode.none if known else ErrorCode.invalid_request
    found = tuple(Coordinator(key, error, NODE_ID, call.host, call.port) for key in message.coordinator_keys)
    reply(Coordinators(found))


def _node(call: Call) -> Node:
    return Node(NODE_ID, call.host, call.port)


def _find(broker: Broker, name: str, *, create: bool) -> TopicMetadata:
    topic = broker.catalogue.get(name)
    if topic is None and name_problem(name):
        return TopicMetadata(ErrorCode.invalid_topic_exception, name, None, ())
    if topic is None and create and broker.auto_create_topics:
        try:
            topic = broker.create_topic(name, DEFAULT_PARTITIONS, {})
        except TopicError as error:
            return TopicMetadata(error.code, name, None, ())
        except OSError:
            return TopicMetadata(ErrorCode.leader_not_available, name, None, ())
    if topic is None:
        return TopicMetadata(ErrorCode.unknown_topic_or_partition, name, None, ())
    return _described(topic)


def _described(topic: Topic) -> TopicMetadata:
    replicas = (NODE_ID,)
    partitions = tuple(
        PartitionMetadata(ErrorCode.none, index, NODE_ID, LEADER_EPOCH, replicas, replicas)
        for index in range(topic.partitions)
    )
    return TopicMetadata(ErrorCode.none, topic.name, topic.topic_id, partitions, topic.name in INTERNAL_TOPICS)
