"""A task's input partitions: what is buffered, decoded when its turn comes, and the order between them (T1-T7)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import length_hint
from typing import Any, NamedTuple

from millstream.engine.metrics import TaskMetrics
from millstream.errors import MillstreamError
from millstream.model import Batch, Headers, TopicPartition
from millstream.plan.nodes import Extractor, Source

REMEMBERED_KEYS = 100_000


class BadRow(NamedTuple):
    """A row that cannot be processed. `refuse` is asked once, when everything before it has been processed."""

    offset: int
    refuse: Callable[[], MillstreamError | None]


@dataclass(slots=True)
class LoadedRows:
    """Decoded rows of a batch, up to the first that is bad; `next_offset` is where the partition goes on after both.

    `bad` tells what is to be done about that one when its turn comes: nothing more, or the error that stops the task.
    """

    source: TopicPartition
    offsets: Sequence[int]
    timestamps: Sequence[int]
    keys: Sequence[Any]
    values: Sequence[Any]
    raw_keys: Sequence[bytes | None]
    raw_values: Sequence[bytes | None]
    headers: Sequence[Headers] | None
    next_offset: int
    bad: BadRow | None = None
    running: Any = None  # the iterator of the loop over a run, and the row at which the run ends
    run_end: int = 0

    def at_hand(self) -> int:
        """The row that the loop is at: what the iterator has given, less what it still has to give."""
        return self.run_end - length_hint(self.running) - 1


class Run(NamedTuple):
    """Rows `first` to `end` (not included) of one partition, to be processed one after the other."""

    rows: LoadedRows
    first: int
    end: int


class KeyCache(dict[bytes, Any]):
    """Decoded keys by their bytes: a repeated key is decoded, and hashed, once."""

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        super().__init__()
        self._decode = decode

    def __missing__(self, data: bytes) -> Any:
        if len(self) >= REMEMBERED_KEYS:
            self.clear()
        key = self[data] = self._decode(data)
        return key


class Refusals(NamedTuple):
    """What to do with a bad record: the error that stops the task, None if it is to be skipped."""

    undecodable: Callable[[Batch, int, Exception], MillstreamError | None]
    untimed: Callable[[LoadedRows, int, Exception], MillstreamError]


class PartitionInput:
    """One input partition: what was fetched of it and not yet processed, and how far it was."""

    def __init__(self, partition: TopicPartition, source: Source, refusals: Refusals, metrics: TaskMetrics) -> None:
        self.partition = partition
        self.partition_time = -1  # rule T1: of the records taken so far
        self.buffered = 0
        self.caught_up_at: int | None = None
        self.idle_since: int | None = None  # wall time since when nothing is buffered and nothing is to come
        self.next_offset: int | None = None
        self._metrics = metrics
        self._extractor: Extractor | None = source.extractor
        self._decode_value = source.value.decode
        self._keys = KeyCache(source.key.decode)
        self._refusals = refusals
        self._batches: deque[Batch] = deque()
        self._decoded: deque[LoadedRows] = deque()  # the rest of the batch that `_rows` is of
        self._rows: LoadedRows | None = None
        self._at = 0
        self._failure: MillstreamError | None = None
        self._arrived = -1

    def add(self, batch: Batch) -> None:
        self._batches.append(batch)
        self.buffered += len(batch)
        self._arrived = batch.next_offset
        self.idle_since = None

    @property
    def caught_up(self) -> bool:
        """Whether the partition's end was seen, and nothing has arrived since."""
        return self.caught_up_at is not None and self.caught_up_at >= self._arrived

    def head(self) -> int | None:
        """The timestamp of the next record; None when nothing is buffered. Raises what stops the task here."""
        while self._rows is None or self._at >= len(self._rows.offsets):
            if self._rows is not None:
                self._pass_over(self._rows)
            if not self._decoded:
                if not self._batches:
                    return None
                self._decoded.extend(self._decode(self._batches.popleft()))
            self._rows, self._at = self._timed(self._decoded.popleft()), 0
        return self._rows.timestamps[self._at]

    def run(self, max_rows: int, last_ms: int | None) -> Run:
        """Up to max_rows records from the head on, until the first whose timestamp is above last_ms."""
        rows = self._rows
        assert rows is not None
        first = self._at
        end = min(first + max_rows, len(rows.offsets))
        if last_ms is not None:
            timestamps = rows.timestamps
            at = first
            while at < end and timestamps[at] <= last_ms:
                at += 1
            end = at
        return Run(rows, first, end)

    def taken(self, run: Run, count: int) -> None:
        """The first `count` records of a run are processed."""
        if count:
            self._at = run.first + count
            self.buffered -= count
            newest = max(run.rows.timestamps[run.first : self._at])
            self.partition_time = max(self.partition_time, newest)
            if self._at < len(run.rows.offsets):
                self.next_offset = run.rows.offsets[self._at]
            else:
                self.next_offset = run.rows.next_offset if run.rows.bad is None else run.rows.bad.offset

    def discard(self) -> None:
        """Forget what is buffered, and that the partition's end was seen: it is to be read again from here."""
        self._batches.clear()
        self._decoded.clear()
        self._rows = self._failure = self.caught_up_at = None
        self.buffered = 0

    def _pass_over(self, rows: LoadedRows) -> None:
        """All rows are processed: go on after them and the bad one, or stop at it, however often one tries."""
        if self._failure is None and rows.bad is not None:
            self._failure = rows.bad.refuse()
        if self._failure is not None:
            raise self._failure
        self.buffered -= rows.bad is not None
        self.next_offset = rows.next_offset
        self._rows = None

    def _decode(self, batch: Batch) -> list[LoadedRows]:
        """A batch in bulk; one by one where a record in it is bad."""
        try:
            cache, decode = self._keys, self._decode_value
            keys = [None if key is None else cache[key] for key in batch.keys]
            values = [None if value is None else decode(value) for value in batch.values]
        except Exception:  # the loop's edge: whatever a serde raises
            return self._decode_singly(batch)
        return [
            LoadedRows(
                batch.source,
                batch.offsets,
                batch.timestamps,
                keys,
                values,
                batch.keys,
                batch.values,
                batch.headers,
                batch.next_offset,
            )
        ]

    def _decode_singly(self, batch: Batch) -> list[LoadedRows]:
        """Pieces of the batch, each up to a bad row."""
        pieces: list[LoadedRows] = []
        keys: list[Any] = []
        values: list[Any] = []
        first = 0
        for row, (raw_key, raw_value) in enumerate(zip(batch.keys, batch.values, strict=True)):
            try:
                key = None if raw_key is None else self._keys[raw_key]
                value = None if raw_value is None else self._decode_value(raw_value)
            except Exception as error:  # the loop's edge: whatever a serde raises
                bad = BadRow(batch.offsets[row], partial(self._refusals.undecodable, batch, row, error))
                pieces.append(_piece(batch, first, (keys, values), bad))
                keys, values, first = [], [], row + 1
                continue
            keys.append(key)
            values.append(value)
        pieces.append(_piece(batch, first, (keys, values), None))
        return pieces

    def _timed(self, rows: LoadedRows) -> LoadedRows:
        """Rules T1-T3: extract timestamps in order; what has a negative one is dropped."""
        if self._extractor is None and (not rows.timestamps or min(rows.timestamps) >= 0):
            return rows
        kept: list[int] = []
        timestamps: list[int] = []
        partition_time, bad = self.partition_time, rows.bad
        for row, recorded in enumerate(rows.timestamps):
            time = recorded
            if self._extractor is not None:
                try:
                    time = _whole_ms(self._extractor(rows.keys[row], rows.values[row], recorded, partition_time))
                except Exception as error:  # the user's function
                    bad = BadRow(rows.offsets[row], partial(self._refusals.untimed, rows, row, error))
                    break
            if time < 0:
                self._metrics.dropped += 1
                self.buffered -= 1
                continue
            partition_time = max(partition_time, time)
            kept.append(row)
            timestamps.append(time)
        return LoadedRows(
            rows.source,
            _pick(rows.offsets, kept),
            timestamps,
            _pick(rows.keys, kept),
            _pick(rows.values, kept),
            _pick(rows.raw_keys, kept),
            _pick(rows.raw_values, kept),
            None if rows.headers is None else _pick(rows.headers, kept),
            rows.next_offset,
            bad,
        )


def _whole_ms(time: Any) -> int:
    if not isinstance(time, int):
        raise TypeError(f"expected whole milliseconds since the epoch, got {time!r}")
    return time


def _pick(column: Sequence[Any], rows: list[int]) -> list[Any]:
    return [column[row] for row in rows]


def _piece(batch: Batch, first: int, decoded: tuple[list[Any], list[Any]], bad: BadRow | None) -> LoadedRows:
    """Rows of a batch from `first` on, as many as are decoded, and the offset after these and the bad one."""
    keys, values = decoded
    end = first + len(keys)
    after = end if bad is None else end + 1
    return LoadedRows(
        batch.source,
        batch.offsets[first:end],
        batch.timestamps[first:end],
        keys,
        values,
        batch.keys[first:end],
        batch.values[first:end],
        None if batch.headers is None else batch.headers[first:end],
        batch.offsets[after] if after < len(batch) else batch.next_offset,
        bad,
    )


class TaskInputs:
    """All input partitions of a task, and which record comes next: the smallest head timestamp (rule T6)."""

    def __init__(self, inputs: Sequence[PartitionInput], wait_ms: int | None) -> None:
        self._inputs = sorted(inputs, key=lambda item: item.partition)
        self._wait_ms = wait_ms
        self.by_partition = {item.partition: item for item in inputs}

    def ready(self, wall_ms: int) -> bool:
        """Rule T7: whether every partition has data, or is known to have none and was waited for long enough."""
        ready = True
        some = False
        for item in self._inputs:
            if item.head() is not None:
                some = True
            elif self._wait_ms is not None:
                if not item.caught_up:
                    ready = False
                elif self._wait_ms > 0:
                    item.idle_since = wall_ms if item.idle_since is None else item.idle_since
                    ready = ready and wall_ms - item.idle_since >= self._wait_ms
        return ready and some

    def next_run(self, max_rows: int, up_to_ms: int | None) -> tuple[PartitionInput, Run] | None:
        """Records of one partition that come before those of all others; ties go to the lowest partition."""
        heads = [(time, item.partition, item) for item in self._inputs if (time := item.head()) is not None]
        if not heads:
            return None
        time, _, best = min(heads) if len(heads) > 1 else heads[0]
        if up_to_ms is not None and time > up_to_ms:
            return None
        return best, best.run(max_rows, self._limit(best, up_to_ms))

    def _limit(self, best: PartitionInput, up_to_ms: int | None) -> int | None:
        """Up to which timestamp `best` may go on before another partition's head comes first."""
        limit = up_to_ms
        lower = True  # partitions before `best` win ties
        for item in self._inputs:
            if item is best:
                lower = False
            elif (time := item.head()) is not None:
                limit = _smaller(limit, time - 1 if lower else time)
        return limit


def _smaller(first: int | None, second: int) -> int:
    return second if first is None else min(first, second)
