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
DESCRIBE_CONFIGS = 32
ALTER_CONFIGS = 33
CREATE_PARTITIONS = 37
DELETE_GROUPS = 42
INCREMENTAL_ALTER_CONFIGS = 44
OFFSET_DELETE = 47
DESCRIBE_CLUSTER = 60


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
            _api(PRODUCE, 3, 11, advertised_min=0),
            _api(FETCH, 4, 12),
            _api(LIST_OFFSETS, 1, 7),
            _api(METADATA, 0, 11),
            _api(OFFSET_COMMIT, 2, 8),
            _api(OFFSET_FETCH, 1, 8),
            _api(FIND_COORDINATOR, 0, 4),
            _api(JOIN_GROUP, 0, 9),
            _api(HEARTBEAT, 0, 4),
            _api(LEAVE_GROUP, 0, 5),
            _api(SYNC_GROUP, 0, 5),
            _api(DESCRIBE_GROUPS, 0, 5),
            _api(LIST_GROUPS, 0, 4),
            _api(API_VERSIONS, 0, 4),
            _api(CREATE_TOPICS, 2, 7),
            _api(DELETE_TOPICS, 1, 5),
            _api(DELETE_RECORDS, 0, 2),
            _api(INIT_PRODUCER_ID, 0, 4),
            _api(OFFSET_FOR_LEADER_EPOCH, 2, 4),
            _api(ADD_PARTITIONS_TO_TXN, 0, 3),
            _api(ADD_OFFSETS_TO_TXN, 0, 3),
            _api(END_TXN, 0, 3),
            _api(TXN_OFFSET_COMMIT, 0, 3),
            _api(DESCRIBE_CONFIGS, 1, 4),
            _api(ALTER_CONFIGS, 0, 2),
            _api(CREATE_PARTITIONS, 0, 3),
            _api(DELETE_GROUPS, 0, 2),
            _api(INCREMENTAL_ALTER_CONFIGS, 0, 1),
            _api(OFFSET_DELETE, 0, 0),
            _api(DESCRIBE_CLUSTER, 0, 0),
        )
    }
)
