"""Which segments of a log are too old or too many. Pure. Rules: Kafka's UnifiedLog.deleteOldSegments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from millstream.broker.log.segment import Segment

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much of a log is kept; -1 is no bound.

    Kafka counts a record's age from its timestamp. With `since_written` it counts from when it was written, if that is
    later: so that old events, replayed into a topic that has no `retention.ms` of its own or is also compacted (the
    changelog of a windowed store), are not gone at once.
    """

    age_ms: int = UNLIMITED
    size_bytes: int = UNLIMITED
    since_written: bool = False


def expired(segments: Sequence[Segment], retention: Retention, stable_offset: int, now_ms: int) -> int:
    """How many of the oldest segments are to go; the last one too if all of its records are too old.

    Records of an open transaction stay. A segment is over when its latest record is.
    """
    count = 0
    for segment in segments:
        if segment.next_offset > stable_offset or not _too_old(segment, retention, now_ms):
            break
        count += 1
    if retention.size_bytes >= 0:
        excess = sum(segment.size for segment in segments[count:]) - retention.size_bytes
        for segment in segments[count:-1]:
            excess -= segment.size
            if excess < 0 or segment.next_offset > stable_offset:
                break
            count += 1
    return count


def _too_old(segment: Segment, retention: Retention, now_ms: int) -> bool:
    if retention.age_ms < 0 or not segment.size:
        return False
    if not segment.has_records:
        return True
    latest = segment.max_timestamp
    if retention.since_written:
        latest = max(latest, segment.written_ms)
    return 0 <= latest < now_ms - retention.age_ms
