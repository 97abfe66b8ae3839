"""What is done from time to time: segments roll and expire, and what nobody has used for long is forgotten."""

from __future__ import annotations

import logging

from millstream.broker.broker import Broker

INTERVAL_MS = 5_000

OFFSETS_RETENTION_MS = 7 * 86_400_000
PRODUCER_IDS_RETENTION_MS = 86_400_000
TRANSACTIONAL_IDS_RETENTION_MS = 7 * 86_400_000

_log = logging.getLogger(__name__)


def keep_up(broker: Broker, wall_ms: int) -> None:
    """One round. What the disk does not take is left for the next one."""
    for partition in broker.partitions.all():
        log = partition.log
        try:
            log.roll_in_time(wall_ms)
            gone = log.expire(wall_ms)
        except OSError as error:
            _log.error("%s: its segments cannot be changed: %s", log.name, error)
            continue
        if gone:
            _log.info("%s: %d segments expired, the log begins at %d", log.name, gone, log.start_offset)
        log.producers.forget_before(wall_ms - PRODUCER_IDS_RETENTION_MS, log.transactions.is_open)
    try:
        broker.coordinator.expire_offsets(wall_ms, OFFSETS_RETENTION_MS)
        broker.transactions.forget_before(wall_ms - TRANSACTIONAL_IDS_RETENTION_MS)
    except OSError as error:
        _log.error("what has expired cannot be forgotten yet: %s", error)
