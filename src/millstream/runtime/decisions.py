"""What to do next, from observed facts alone: reading, chunks of work, commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from millstream.model import TopicPartition

IDLE_WAIT_MS = 100
HELD_WAIT_MS = GROUP_WAIT_MS = 20
ASKED_WAIT_MS = 2
CHUNK_MS = 10
SMALLEST_CHUNK, LARGEST_CHUNK = 10, 5_000
SMALLEST_FETCH = 10


# --- reading


@dataclass(frozen=True, slots=True)
class Flow:
    """Partitions to stop reading, and to go on reading."""

    pause: tuple[TopicPartition, ...]
    resume: tuple[TopicPartition, ...]


def flow(buffered: Mapping[TopicPartition, int], paused: frozenset[TopicPartition], high: int) -> Flow:
    """Pause above the high water mark, resume below its half: librdkafka throws away what it prefetched at a pause.

    >>> a, b = TopicPartition("a", 0), TopicPartition("b", 0)
    >>> flow({a: 120, b: 40}, frozenset({b}), high=100).resume == (b,)
    True
    """
    return Flow(
        tuple(source for source, rows in buffered.items() if rows >= high and source not in paused),
        tuple(source for source, rows in buffered.items() if rows < high / 2 and source in paused),
    )


def water_mark(buffer_records: int, buffer_bytes: int, row_bytes: float) -> int:
    """Records that a partition may buffer, from its bounds in records and in bytes."""
    return max(SMALLEST_FETCH, min(buffer_records, int(buffer_bytes / max(row_bytes, 1.0))))


def fair_mark(high: int, buffered: Iterable[int], allowed: int) -> int:
    """Records that a partition may buffer where all together may not be more than `allowed`.

    A partition may go to its own bound until the worker is at its, and then to an equal share of that.

    >>> fair_mark(100, [90, 0, 0], allowed=120), fair_mark(100, [90, 30, 0], allowed=120)
    (100, 40)
    """
    counts = list(buffered)
    return high if sum(counts) < allowed else max(SMALLEST_FETCH, min(high, allowed // len(counts)))


def fetch_size(round_records: int, round_bytes: int, row_bytes: float) -> int:
    """Records to ask for at once, from the bounds in records and in bytes and the usual size of a record."""
    return max(SMALLEST_FETCH, min(round_records, int(round_bytes / max(row_bytes, 1.0))))


# --- work


def chunk_rows(rows: int, elapsed_ms: float, before: int) -> int:
    """How many records to process before looking at the clock again: about 10 ms of work.

    `rows` took `elapsed_ms` when `before` were allowed. A short measurement says little, so growth is bounded.

    >>> chunk_rows(500, 100.0, 500), chunk_rows(500, 2.0, 500)
    (50, 1000)
    """
    if rows == 0:
        return before
    wanted = int(rows * CHUNK_MS / max(elapsed_ms, 0.01))
    return max(SMALLEST_CHUNK, min(wanted, before * 2, LARGEST_CHUNK))


def idle_wait_ms(
    *, worked: bool, held_back: bool, until_timer_ms: int | None, asked: bool = False, without_tasks: bool = False
) -> int:
    """How long the next fetch may wait for records.

    Not long where somebody has `asked` for something that is to come, nor where the group has given no task: it does
    not end the wait for records.

    >>> idle_wait_ms(worked=False, held_back=False, until_timer_ms=None)
    100
    """
    if worked:
        return 0
    wait = IDLE_WAIT_MS
    if asked:
        wait = ASKED_WAIT_MS
    elif held_back:
        wait = HELD_WAIT_MS
    elif without_tasks:
        wait = GROUP_WAIT_MS
    return wait if until_timer_ms is None else max(0, min(wait, until_timer_ms))
