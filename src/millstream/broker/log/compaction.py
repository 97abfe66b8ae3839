"""Compaction: of each key only the latest record stays, at its offset.

A pass looks at closed segments before the first open transaction. It learns the latest offset of each key in those not
compacted yet, then rewrites all of them without what is superseded, aborted or has no key; tombstones go once
`delete.retention.ms` is over since they were first kept. Offsets stay: where records are gone, an empty batch stands.
Committed transactions become plain batches, so that their markers may go. The last batch of each producer stays, if
need be empty, so that repeats and gaps are recognised after a restart. Rules: Kafka's LogCleaner and Cleaner.

A pass is a generator, so that the broker can do other things in between; the log may change meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from millstream.broker.log.batch import CODEC_MASK, HEADER_SIZE, LOG_APPEND_TIME, BatchHeader, empty_batch, rebuilt
from millstream.broker.log.partition import LARGEST_SEGMENT_BYTES, PartitionLog
from millstream.broker.log.records import KeyedRecord, compressed, keyed_records
from millstream.broker.log.segment import Segment

MOST_KEYS = 1_000_000
"""Of so many keys a pass keeps the offsets in memory, about 200 MB; segments that may have more wait for the next."""
_LONGEST_SPAN = 2**31 - 1


def due(log: PartitionLog, now_ms: int) -> list[Segment]:
    """The segments of a pass that is worth while now; empty if none is."""
    rules = log.settings.compaction
    segments = []
    for segment in log.closed_segments:
        young = rules.min_lag_ms > 0 and now_ms - segment.max_timestamp < rules.min_lag_ms
        if young or segment.next_offset > log.stable_offset or not segment.verified:
            break
        segments.append(segment)
    dirty = [segment for segment in segments if segment.compacted_ms < 0]
    dirty_bytes, all_bytes = (sum(segment.size for segment in each) for each in (dirty, segments))
    worth_while = (
        dirty_bytes > rules.dirty_ratio * all_bytes
        or any(now_ms - segment.opened_ms > rules.max_lag_ms for segment in dirty)
        or any(_tombstones_over(log, segment, now_ms) for segment in segments)
    )
    return segments if worth_while else []


def compact(log: PartitionLog, segments: Sequence[Segment], now_ms: int) -> Iterator[None]:
    """One pass over the segments that are `due`. Raises OSError and UnreadableRecordsError, with the log in order."""
    latest: dict[bytes, int] = {}
    known = 0
    for segment in segments:
        if not log.holds(segments):
            return
        if segment.compacted_ms >= 0:
            known += 1
            continue
        if latest and len(latest) + segment.next_offset - segment.base_offset > MOST_KEYS:
            break
        known += 1
        for header, batch in segment.batches():
            if not _is_void(log, header):
                latest.update((each.key, each.offset) for each in keyed_records(header, batch) if each.key is not None)
            yield
            if not log.holds(segments):
                return
    for group in _groups(log, segments[:known]):
        if not log.holds(group) or not (yield from _rewrite(log, group, latest, now_ms)):
            return  # the log changed meanwhile: what is left is for the next pass


def _groups(log: PartitionLog, segments: Sequence[Segment]) -> list[list[Segment]]:
    """Neighbours that fit into one segment, of which the first gives the name."""
    limit = min(log.settings.segment_bytes, LARGEST_SEGMENT_BYTES)
    groups: list[list[Segment]] = []
    for segment in segments:
        last = groups[-1] if groups else None
        fits = last is not None and sum(each.size for each in last) + segment.size <= limit
        if last is not None and fits and segment.next_offset - last[0].base_offset < _LONGEST_SPAN:
            # Tombstones of different ages stay apart: each goes when its own time is over.
            ages = {each.compacted_ms for each in (*last, segment) if each.has_tombstones or each.compacted_ms < 0}
            if len(ages) <= 1:
                last.append(segment)
                continue
        groups.append([segment])
    return groups


def _rewrite(
    log: PartitionLog, group: Sequence[Segment], latest: dict[bytes, int], now_ms: int
) -> Generator[None, None, bool]:
    """Whether the group was replaced; it is not if the log changed meanwhile."""
    draft = log.draft(group[0].base_offset)
    adopted = False
    try:
        gap = draft.base_offset
        for segment in group:
            tombstones_over = _tombstones_over(log, segment, now_ms)
            for header, batch in segment.batches():
                kept, whole = _kept(log, header, batch, latest, tombstones_over)
                if kept or log.producers.ends_with(header):
                    _fill(draft, gap, header.base_offset)
                    _copy(draft, header, batch, None if whole else kept)
                    draft.has_tombstones = draft.has_tombstones or any(each.tombstone for each in kept)
                    gap = header.next_offset
                yield
                if not log.holds(group):
                    return False
        _fill(draft, gap, group[-1].next_offset)
        draft.opened_ms = group[0].opened_ms
        draft.written_ms = max(each.written_ms for each in group)
        fresh = any(each.compacted_ms < 0 for each in group)
        draft.compacted_ms = now_ms if fresh else max(each.compacted_ms for each in group)
        log.replace(group, draft)
        adopted = True
        return True
    finally:
        if not adopted:
            draft.blob.close()


def _kept(
    log: PartitionLog, header: BatchHeader, batch: memoryview, latest: dict[bytes, int], tombstones_over: bool
) -> tuple[list[KeyedRecord], bool]:
    """The records that stay, and whether these are all of the batch."""
    if _is_void(log, header):
        return [], False
    kept = [
        each
        for each in keyed_records(header, batch)
        if each.key is not None
        and each.offset >= log.start_offset
        and latest.get(each.key, -1) <= each.offset
        and not (each.tombstone and tombstones_over)
    ]
    return kept, len(kept) == header.record_count


def _copy(draft: Segment, header: BatchHeader, batch: memoryview, kept: list[KeyedRecord] | None) -> None:
    """Write the batch with the records that stay; None are all of them, and leave the body as it is."""
    if kept is None:
        fresh, raw = rebuilt(header, bytes(batch[HEADER_SIZE:]))
    else:
        changed = header._replace(record_count=len(kept))
        if not header.attributes & LOG_APPEND_TIME:
            changed = changed._replace(max_timestamp=max((each.timestamp for each in kept), default=-1))
        if not kept:
            changed = changed._replace(attributes=header.attributes & ~CODEC_MASK)
        body = b"".join(each.raw for each in kept)
        fresh, raw = rebuilt(changed, compressed(changed.attributes & CODEC_MASK, body))
    draft.append(fresh, [raw], fresh.base_offset)


def _fill(draft: Segment, begin: int, end: int) -> None:
    if begin < end:
        header, raw = empty_batch(begin, end)
        draft.append(header, [raw], begin)


def _is_void(log: PartitionLog, header: BatchHeader) -> bool:
    """Whether the batch is a marker, or its transaction was aborted."""
    if header.control or not header.transactional:
        return header.control
    aborted = log.transactions.aborted(header.base_offset, header.next_offset)
    return any(each.producer_id == header.producer_id for each in aborted)


def _tombstones_over(log: PartitionLog, segment: Segment, now_ms: int) -> bool:
    kept_since = segment.compacted_ms
    over = kept_since >= 0 and now_ms - kept_since >= log.settings.compaction.delete_retention_ms
    return over and segment.has_tombstones
