"""What everything else speaks of: topic-partitions, batches of records, timestamps in milliseconds since the epoch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]

NO_TIMESTAMP = -1


class TopicPartition(NamedTuple):
    """One partition of one topic.

    >>> str(TopicPartition("client-reports", 3))
    'client-reports-3'
    """

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition, as columns: row i is `offsets[i]`, `timestamps[i]`, `keys[i]`, `values[i]`.

    `headers` is None when no row has any. `next_offset` is where the partition goes on: control records, aborted
    batches and compacted holes move it past the last row, so it may exceed `offsets[-1] + 1`, also without rows.
    """

    source: TopicPartition
    offsets: Sequence[int]
    timestamps: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None
    next_offset: int

    def __len__(self) -> int:
        return len(self.offsets)

    def before(self, end: int) -> Batch:
        """The part of it that lies before an offset.

        >>> rows = Batch(TopicPartition("t", 0), [4, 5, 7], [1, 2, 3], [None] * 3, [b"a", b"b", b"c"], None, 8)
        >>> rows.before(6).values, rows.before(6).next_offset
        ([b'a', b'b'], 6)
        """
        if self.next_offset <= end:
            return self
        count = bisect_left(self.offsets, end)
        headers = None if self.headers is None else self.headers[:count]
        return Batch(
            self.source,
            self.offsets[:count],
            self.timestamps[:count],
            self.keys[:count],
            self.values[:count],
            headers,
            end,
        )


@dataclass(frozen=True, slots=True)
class OutBatch:
    """Records on their way to one partition, as columns; timestamps are CreateTime in ms.

    `headers` is None when no row has any. `origins` say where each row comes from, to who is asked when it is refused;
    None where nobody is.
    """

    target: TopicPartition
    timestamps: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None = None
    origins: Sequence[object] | None = None

    def __len__(self) -> int:
        return len(self.timestamps)

    def part(self, begin: int, end: int) -> OutBatch:
        """Rows `begin` to `end` (not included).

        >>> OutBatch(TopicPartition("t", 0), [1, 2, 3], [None] * 3, [b"a", b"b", b"c"]).part(1, 3).values
        [b'b', b'c']
        """
        return OutBatch(
            self.target,
            self.timestamps[begin:end],
            self.keys[begin:end],
            self.values[begin:end],
            None if self.headers is None else self.headers[begin:end],
            None if self.origins is None else self.origins[begin:end],
        )
