"""What administrators ask of brokers: log folders, elections, reassignments. One broker has few answers to them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator

from kio.schema.alter_partition_reassignments.v1.request import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
)
from kio.schema.alter_replica_log_dirs.v2.request import AlterReplicaLogDirsRequest
from kio.schema.describe_client_quotas.v1.request import DescribeClientQuotasRequest
from kio.schema.describe_log_dirs.v5.request import DescribeLogDirsRequest
from kio.schema.describe_quorum.v2.request import DescribeQuorumRequest
from kio.schema.elect_leaders.v2.request import ElectLeadersRequest
from kio.schema.errors import ErrorCode
from kio.schema.list_partition_reassignments.v0.request import ListPartitionReassignmentsRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.protocol.answers.admin import (
    DescribedQuotas,
    Election,
    Elections,
    LogFolder,
    LogFolders,
    LogSize,
    LogTopic,
    MovedPartition,
    MovedReplicas,
    MovedTopic,
    OngoingReassignments,
    Quorum,
    QuorumPartition,
    QuorumTopic,
    Reassignment,
    Reassignments,
    TopicElections,
    TopicReassignments,
    Voter,
)

_METADATA_LOG = "__cluster_metadata"
_MEMORY = "memory"
"""The name of the log folder of a broker that has none."""

Asked = Iterator[tuple[str, Iterable[int]]]


def describe_log_dirs(broker: Broker, call: Call, message: DescribeLogDirsRequest, reply: Reply) -> None:
    """The one folder; partitions that do not exist are passed over, as Kafka does."""
    asked = None if message.topics is None else [(topic.topic, topic.partitions) for topic in message.topics]
    topics = []
    for name, indexes in _asked(broker, asked):
        known = [(index, broker.partitions.get(name, index)) for index in indexes]
        sizes = tuple(LogSize(index, partition.log.size) for index, partition in known if partition is not None)
        if sizes:
            topics.append(LogTopic(name, sizes))
    folder = broker.partitions.folder
    if folder is None:
        reply(LogFolders((LogFolder(ErrorCode.none, _MEMORY, tuple(topics)),)))
        return
    disk = shutil.disk_usage(folder)
    reply(LogFolders((LogFolder(ErrorCode.none, str(folder.absolute()), tuple(topics), disk.total, disk.free),)))


def alter_replica_log_dirs(broker: Broker, call: Call, message: AlterReplicaLogDirsRequest, reply: Reply) -> None:
    """There is one folder: a replica that is to be moved into it is there already."""
    folder = broker.partitions.folder
    here = _MEMORY if folder is None else str(folder.absolute())
    results: dict[str, list[MovedPartition]] = {}
    for each in message.dirs:
        for topic in each.topics:
            for index in topic.partitions:
                known = broker.partitions.get(topic.name, index) is not None
                error = ErrorCode.none if each.path == here else ErrorCode.log_dir_not_found
                moved = MovedPartition(index, error if known else ErrorCode.unknown_topic_or_partition)
                results.setdefault(topic.name, []).append(moved)
    reply(MovedReplicas(tuple(MovedTopic(name, tuple(moved)) for name, moved in results.items())))


def describe_quorum(broker: Broker, call: Call, message: DescribeQuorumRequest, reply: Reply) -> None:
    """The metadata is this broker's alone: it is leader and only voter."""
    node = broker.settings.node_id
    partitions = (QuorumPartition(0, ErrorCode.none, node, 0, 0, (Voter(node, 0),)),)
    reply(Quorum(ErrorCode.none, None, (QuorumTopic(_METADATA_LOG, partitions),)))


def elect_leaders(broker: Broker, call: Call, message: ElectLeadersRequest, reply: Reply) -> None:
    """Everything is led by the one broker already; if everything is asked for, there is nothing to tell."""
    if message.topic_partitions is None:
        reply(Elections(()))
        return
    results = []
    for topic in message.topic_partitions:
        elections = []
        for index in topic.partitions:
            if broker.partitions.get(topic.topic, index) is None:
                text = "The partition does not exist."
                elections.append(Election(index, ErrorCode.unknown_topic_or_partition, text))
            else:
                text = "Leader election not needed for topic partition."
                elections.append(Election(index, ErrorCode.election_not_needed, text))
        results.append(TopicElections(topic.topic, tuple(elections)))
    reply(Elections(tuple(results)))


def alter_partition_reassignments(
    broker: Broker, call: Call, message: AlterPartitionReassignmentsRequest, reply: Reply
) -> None:
    results = []
    for topic in message.topics:
        partitions = tuple(_reassigned(broker, topic.name, each) for each in topic.partitions)
        results.append(TopicReassignments(topic.name, partitions))
    reply(Reassignments(tuple(results), message.allow_replication_factor_change))


def _reassigned(broker: Broker, topic: str, asked: ReassignablePartition) -> Reassignment:
    index = asked.partition_index
    if broker.partitions.get(topic, index) is None:
        return Reassignment(index, ErrorCode.unknown_topic_or_partition, "The partition does not exist.")
    if asked.replicas is None:
        return Reassignment(index, ErrorCode.no_reassignment_in_progress, "No partition is being reassigned.")
    if asked.replicas != (broker.settings.node_id,):
        text = f"Broker {broker.settings.node_id} is the only one that can hold a replica."
        return Reassignment(index, ErrorCode.invalid_replica_assignment, text)
    return Reassignment(index, ErrorCode.none, None)


def list_partition_reassignments(
    broker: Broker, call: Call, message: ListPartitionReassignmentsRequest, reply: Reply
) -> None:
    reply(OngoingReassignments())


def _asked(broker: Broker, topics: Iterable[tuple[str, Iterable[int]]] | None) -> Asked:
    """The partitions that a request names; all of them if it names none."""
    if topics is not None:
        yield from topics
        return
    for topic in broker.catalogue.topics():
        yield topic.name, range(topic.partitions)


def describe_client_quotas(broker: Broker, call: Call, message: DescribeClientQuotasRequest, reply: Reply) -> None:
    """Nobody is held back, and nothing can change that: altering quotas is not served."""
    reply(DescribedQuotas())
