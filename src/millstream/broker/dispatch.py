"""Which function answers which request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.handlers import (
    acls,
    admin,
    alter_configs,
    cluster,
    commits,
    configs,
    consumer_groups,
    fetch,
    groups,
    offsets,
    produce,
    producers,
    sasl,
    topics,
    transactions,
)
from millstream.broker.protocol import apis

HANDLERS: Mapping[int, Callable[[Broker, Call, Any, Reply], None]] = MappingProxyType(
    {
        apis.PRODUCE: produce.produce,
        apis.FETCH: fetch.fetch,
        apis.LIST_OFFSETS: offsets.list_offsets,
        apis.METADATA: cluster.metadata,
        apis.OFFSET_COMMIT: commits.offset_commit,
        apis.OFFSET_FETCH: commits.offset_fetch,
        apis.FIND_COORDINATOR: cluster.find_coordinator,
        apis.JOIN_GROUP: groups.join_group,
        apis.HEARTBEAT: groups.heartbeat,
        apis.LEAVE_GROUP: groups.leave_group,
        apis.SYNC_GROUP: groups.sync_group,
        apis.DESCRIBE_GROUPS: groups.describe_groups,
        apis.LIST_GROUPS: groups.list_groups,
        apis.SASL_HANDSHAKE: sasl.sasl_handshake,
        apis.API_VERSIONS: cluster.api_versions,
        apis.SASL_AUTHENTICATE: sasl.sasl_authenticate,
        apis.CREATE_TOPICS: topics.create_topics,
        apis.DELETE_TOPICS: topics.delete_topics,
        apis.DELETE_RECORDS: offsets.delete_records,
        apis.INIT_PRODUCER_ID: transactions.init_producer_id,
        apis.OFFSET_FOR_LEADER_EPOCH: offsets.offset_for_leader_epoch,
        apis.ADD_PARTITIONS_TO_TXN: transactions.add_partitions_to_txn,
        apis.ADD_OFFSETS_TO_TXN: transactions.add_offsets_to_txn,
        apis.END_TXN: transactions.end_txn,
        apis.TXN_OFFSET_COMMIT: transactions.txn_offset_commit,
        apis.DESCRIBE_ACLS: acls.describe_acls,
        apis.CREATE_ACLS: acls.create_acls,
        apis.DELETE_ACLS: acls.delete_acls,
        apis.ALTER_REPLICA_LOG_DIRS: admin.alter_replica_log_dirs,
        apis.DESCRIBE_QUORUM: admin.describe_quorum,
        apis.DESCRIBE_CONFIGS: configs.describe_configs,
        apis.ALTER_CONFIGS: alter_configs.alter_configs,
        apis.DESCRIBE_LOG_DIRS: admin.describe_log_dirs,
        apis.CREATE_PARTITIONS: topics.create_partitions,
        apis.DELETE_GROUPS: groups.delete_groups,
        apis.ELECT_LEADERS: admin.elect_leaders,
        apis.INCREMENTAL_ALTER_CONFIGS: alter_configs.incremental_alter_configs,
        apis.ALTER_PARTITION_REASSIGNMENTS: admin.alter_partition_reassignments,
        apis.LIST_PARTITION_REASSIGNMENTS: admin.list_partition_reassignments,
        apis.OFFSET_DELETE: commits.offset_delete,
        apis.DESCRIBE_CLIENT_QUOTAS: admin.describe_client_quotas,
        apis.DESCRIBE_CLUSTER: cluster.describe_cluster,
        apis.DESCRIBE_PRODUCERS: producers.describe_producers,
        apis.DESCRIBE_TRANSACTIONS: producers.describe_transactions,
        apis.LIST_TRANSACTIONS: producers.list_transactions,
        apis.CONSUMER_GROUP_HEARTBEAT: consumer_groups.consumer_group_heartbeat,
        apis.CONSUMER_GROUP_DESCRIBE: consumer_groups.consumer_group_describe,
        apis.LIST_CONFIG_RESOURCES: configs.list_config_resources,
        apis.DESCRIBE_TOPIC_PARTITIONS: cluster.describe_topic_partitions,
    }
)
