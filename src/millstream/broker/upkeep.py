"""What is done from time to time: segments roll and expire, and what nobody has used for long is forgotten."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from millstream.broker.broker import Broker
from millstream.broker.log.compaction import compact, due
from millstream.broker.log.partition import PartitionLog
from millstream.broker.log.records import UnreadableRecordsError
from millstream.broker.log.segment import DamagedError

INTERVAL_MS = 2_000

_log = logging.getLogger(__name__)


def keep_up(broker: Broker, wall_ms: int) -> Iterator[None]:
    """One round, in small steps. What the disk does not take is left for the next one."""
    for partition in broker.partitions.all():
        yield
        log = partition.log
        if log.closed:
            continue
        try:
            yield from _keep_log_up(log, wall_ms, wall_ms - broker.settings.producer_ids_ms)
        except (OSError, UnreadableRecordsError) as error:
            _log.error("%s: its segments cannot be changed: %s", log.name, error)
    try:
        broker.groups.expire(wall_ms, broker.settings.offsets_retention_ms)
        broker.transactions.forget_before(wall_ms - broker.settings.transactional_ids_ms)
    except OSError as error:
        _log.error("what has expired cannot be forgotten yet: %s", error)


def _verify(log: PartitionLog) -> Iterator[None]:
    """Look at what the start took over from notes; damage stays where it is, and is not given out."""
    for segment in log.unverified():
        try:
            yield from segment.verify()
        except DamagedError as error:
            _log.error("%s: %s; its records are refused, the others can be read", log.name, error)


def _keep_log_up(log: PartitionLog, wall_ms: int, silent_since_ms: int) -> Iterator[None]:
    yield from _verify(log)
    log.roll_in_time(wall_ms)
    gone = log.expire(wall_ms)
    if gone:
        _log.info("%s: %d segments expired, the log begins at %d", log.name, gone, log.start_offset)
    log.producers.forget_before(silent_since_ms, log.transactions.is_open)
    segments = due(log, wall_ms) if log.settings.compacted else []
    if segments:
        before = log.size
        yield from compact(log, segments, wall_ms)
        _log.info("%s: compacted from %d to %d bytes", log.name, before, log.size)
