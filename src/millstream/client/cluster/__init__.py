"""A Kafka cluster as an operator sees it: topics, groups and records, on any Kafka. For the command line's tools."""

from millstream.client.cluster.answers import Caller
from millstream.client.cluster.groups import GroupDetails, Groups, GroupSummary, Lag
from millstream.client.cluster.positions import Position, Positions
from millstream.client.cluster.reading import ReadOptions, Record, RecordReader
from millstream.client.cluster.topics import NewTopicSpec, PartitionDetails, TopicDetails, Topics
from millstream.client.cluster.writing import RecordWriter

__all__ = [
    "Caller",
    "GroupDetails",
    "GroupSummary",
    "Groups",
    "Lag",
    "NewTopicSpec",
    "PartitionDetails",
    "Position",
    "Positions",
    "ReadOptions",
    "Record",
    "RecordReader",
    "RecordWriter",
    "TopicDetails",
    "Topics",
]
