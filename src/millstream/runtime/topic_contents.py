"""Everything that stands in some partitions now; for small topics, as that of tasks."""

from __future__ import annotations

from collections.abc import Iterable

from millstream.client.contract import DataConsumer
from millstream.errors import KafkaError
from millstream.model import Batch, TopicPartition
from millstream.runtime.clock import Clock

POLL_MS = 100
POLL_RECORDS = 10_000


def read_whole(data: DataConsumer, partitions: Iterable[TopicPartition], clock: Clock, limit_ms: int) -> list[Batch]:
    """Read them from their beginnings to the ends that they have now; KafkaError when that takes too long."""
    marks = {source: data.watermarks(source, timeout_ms=limit_ms) for source in partitions}
    ends = {source: end for source, (begin, end) in marks.items() if begin < end}
    left = set(ends)
    batches: list[Batch] = []
    data.assign({source: marks[source][0] for source in ends})
    until = clock.monotonic_ms() + limit_ms
    while left:
        fetched = data.poll(max_records=POLL_RECORDS, timeout_ms=POLL_MS)
        batches += fetched.batches
        left -= {batch.source for batch in fetched.batches if batch.next_offset >= ends[batch.source]}
        left -= {end.source for end in fetched.ends}
        for failure in fetched.failures:
            if not failure.error.retriable:
                raise failure.error
        if left and clock.monotonic_ms() > until:
            raise KafkaError(f"{min(left)} could not be read within {limit_ms} ms", retriable=True)
    data.unassign(ends)
    return batches
