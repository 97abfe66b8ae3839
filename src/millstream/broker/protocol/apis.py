"""The table of APIs that the broker knows: key, name, versions served, and what is advertised to clients."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

PRODUCE = 0
FETCH = 1
LIST_OFFSETS = 2
METADATA = 3
OFFSET_COMMIT = 8
OFFSET_FETCH = 9
FIND_COORDINATOR = 10
JOIN_GROUP = 11
HEARTBEAT = 12
LEAVE_GROUP = 13
SYNC_GROUP = 14
DESCRIBE_GROUPS = 15
LIST_GROUPS = 16
SASL_HANDSHAKE = 17
API_VERSIONS = 18
CREATE_TOPICS = 19
DELETE_TOPICS = 20
DELETE_RECORDS = 21
INIT_PRODUCER_ID = 22
OFFSET_FOR_LEADER_EPOCH = 23
ADD_PARTITIONS_TO_TXN = 24
ADD_OFFSETS_TO_TXN = 25
END_TXN = 26
TXN_OFFSET_COMMIT = 28
DESCRIBE_ACLS = 29
CREATE_ACLS = 30
DELETE_ACLS = 31
DESCRIBE_CONFIGS = 32
ALTER_CONFIGS = 33
ALTER_REPLICA_LOG_DIRS = 34
SASL_AUTHENTICATE = 36
DESCRIBE_LOG_DIRS = 35
CREATE_PARTITIONS = 37
DELETE_GROUPS = 42
ELECT_LEADERS = 43
INCREMENTAL_ALTER_CONFIGS = 44
ALTER_PARTITION_REASSIGNMENTS = 45
LIST_PARTITION_REASSIGNMENTS = 46
OFFSET_DELETE = 47
DESCRIBE_CLIENT_QUOTAS = 48
DESCRIBE_QUORUM = 55
DESCRIBE_CLUSTER = 60
DESCRIBE_PRODUCERS = 61
DESCRIBE_TRANSACTIONS = 65
LIST_TRANSACTIONS = 66
CONSUMER_GROUP_HEARTBEAT = 68
CONSUMER_GROUP_DESCRIBE = 69
LIST_CONFIG_RESOURCES = 74
DESCRIBE_TOPIC_PARTITIONS = 75

TOPIC_IDS_FROM = MappingProxyType({PRODUCE: 13, FETCH: 13, OFFSET_COMMIT: 10, OFFSET_FETCH: 10})
"""Versions from which these name topics by their ids alone (KIP-516)."""


@dataclass(frozen=True, slots=True)
class Api:
    """One API: the versions that are decoded and answered, and the lowest version that clients are told."""

    key: int
    min_version: int
    max_version: int
    advertised_min: int


def _api(key: int, low: int, high: int, *, advertised_min: int | None = None) -> Api:
    return Api(key, low, high, low if advertised_min is None else advertised_min)


APIS: MappingProxyType[int, Api] = MappingProxyType(
    {
        api.key: api
        for api in (
            # librdkafka 2.0 silently stops compressing unless Produce's range begins at 0.
            _api(PRODUCE, 3, 13, advertised_min=0),
            _api(FETCH, 4, 18),
            _api(LIST_OFFSETS, 1, 11),
            _api(METADATA, 0, 13),
            _api(OFFSET_COMMIT, 2, 10),
            _api(OFFSET_FETCH, 1, 10),
            _api(FIND_COORDINATOR, 0, 6),
            _api(JOIN_GROUP, 0, 9),
            _api(HEARTBEAT, 0, 4),
            _api(LEAVE_GROUP, 0, 5),
            _api(SYNC_GROUP, 0, 5),
            _api(DESCRIBE_GROUPS, 0, 6),
            _api(LIST_GROUPS, 0, 5),
            _api(SASL_HANDSHAKE, 1, 1),
            _api(API_VERSIONS, 0, 4),
            _api(SASL_AUTHENTICATE, 0, 2),
            _api(CREATE_TOPICS, 2, 7),
            _api(DELETE_TOPICS, 1, 6),
            _api(DELETE_RECORDS, 0, 2),
            _api(INIT_PRODUCER_ID, 0, 5),
            _api(OFFSET_FOR_LEADER_EPOCH, 2, 4),
            _api(ADD_PARTITIONS_TO_TXN, 0, 5),
            _api(ADD_OFFSETS_TO_TXN, 0, 4),
            _api(END_TXN, 0, 5),
            _api(TXN_OFFSET_COMMIT, 0, 5),
            _api(DESCRIBE_ACLS, 1, 3),
            _api(CREATE_ACLS, 1, 3),
            _api(DELETE_ACLS, 1, 3),
            _api(DESCRIBE_CONFIGS, 1, 4),
            _api(ALTER_REPLICA_LOG_DIRS, 1, 2),
            _api(DESCRIBE_LOG_DIRS, 1, 5),
            _api(ALTER_CONFIGS, 0, 2),
            _api(CREATE_PARTITIONS, 0, 3),
            _api(DELETE_GROUPS, 0, 2),
            _api(ELECT_LEADERS, 0, 2),
            _api(INCREMENTAL_ALTER_CONFIGS, 0, 1),
            _api(ALTER_PARTITION_REASSIGNMENTS, 0, 1),
            _api(LIST_PARTITION_REASSIGNMENTS, 0, 0),
            _api(OFFSET_DELETE, 0, 0),
            _api(DESCRIBE_CLIENT_QUOTAS, 0, 1),
            _api(DESCRIBE_QUORUM, 0, 2),
            _api(DESCRIBE_CLUSTER, 0, 2),
            _api(DESCRIBE_PRODUCERS, 0, 0),
            _api(DESCRIBE_TRANSACTIONS, 0, 0),
            _api(LIST_TRANSACTIONS, 0, 2),
            _api(CONSUMER_GROUP_HEARTBEAT, 0, 1),
            _api(CONSUMER_GROUP_DESCRIBE, 0, 1),
            _api(LIST_CONFIG_RESOURCES, 0, 1),
            _api(DESCRIBE_TOPIC_PARTITIONS, 0, 0),
        )
    }
)
