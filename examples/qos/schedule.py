"""When what goes to which partition: a source's events with the ticks between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import millstream as ms

from .definitions import FINAL_TICK_MS, TICK_MS, WINDOW_MS
from .source import Event

partition_of = cache(ms.partition_for)  # of a place, of which there are few


class Row(NamedTuple):
    """One record of `client-reports`; key and value are None in a tick."""

    partition: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


def rows(events: Iterable[Event], start_ms: int, partitions: int) -> Iterator[Row]:
    """The records of a match that starts at `start_ms`, by time, with a tick to every partition each second.

    >>> two = [Event(400, b"p", b"s1", b"{}"), Event(1_200, b"p", b"s1", b"{}")]
    >>> [(row.timestamp_ms, row.key) for row in rows(two, 50_000, 1)]
    [(50400, b's1'), (51000, None), (51200, b's1')]
    """
    tick_ms = start_ms
    for event in events:
        at_ms = start_ms + event.offset_ms
        while tick_ms + TICK_MS <= at_ms:
            tick_ms += TICK_MS
            yield from ticks(tick_ms, partitions)
        yield Row(partition_of(event.place, partitions), at_ms, event.key, event.value)


def final_ticks(last_ms: int, partitions: int) -> Iterator[Row]:
    """What a match ends with: a tick late enough after its last record for everything due to come out."""
    return ticks(last_ms + FINAL_TICK_MS, partitions)


def ticks(at_ms: int, partitions: int) -> Iterator[Row]:
    """One tick for each partition."""
    return (Row(partition, at_ms, None, None) for partition in range(partitions))


def whole(events: Iterable[Event], start_ms: int, partitions: int) -> Iterator[Row]:
    """A match from the first record to the final ticks."""
    last_ms = start_ms
    for row in rows(events, start_ms, partitions):
        yield row
        last_ms = row.timestamp_ms
    yield from final_ticks(last_ms, partitions)


def aligned(now_ms: int) -> int:
    """The next full window from `now_ms` on: matches that start there have the same windows, whenever they start."""
    return -(-now_ms // WINDOW_MS) * WINDOW_MS
