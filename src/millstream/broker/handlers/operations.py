"""What a client may do, as Kafka tells it who asks: without an authorizer everything that there is to do."""

from __future__ import annotations

from millstream.broker.protocol.answers.cluster import UNKNOWN_OPERATIONS

_READ, _WRITE, _CREATE, _DELETE, _ALTER, _DESCRIBE, _CLUSTER_ACTION = range(3, 10)
_DESCRIBE_CONFIGS, _ALTER_CONFIGS, _IDEMPOTENT_WRITE = range(10, 13)


def _bits(*operations: int) -> int:
    return sum(1 << operation for operation in operations)


_CONFIGS = _bits(_DESCRIBE_CONFIGS, _ALTER_CONFIGS)
CLUSTER = _CONFIGS | _bits(_CREATE, _ALTER, _DESCRIBE, _CLUSTER_ACTION, _IDEMPOTENT_WRITE)
TOPIC = _CONFIGS | _bits(_READ, _WRITE, _CREATE, _DELETE, _ALTER, _DESCRIBE)
GROUP = _CONFIGS | _bits(_READ, _DELETE, _DESCRIBE)


def told(operations: int, *, asked: bool) -> int:
    """The operations, if the client asked for them."""
    return operations if asked else UNKNOWN_OPERATIONS
