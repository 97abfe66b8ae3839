"""A task's input partitions: what is buffered, decoded when its turn comes, and the order between them (T1-T7)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import length_hint
from typing import Any, NamedTuple

from millstream.engine.metrics import TaskMetrics
from millstream.errors import MillstreamError
from millstream.model import Batch, Headers, TopicPartition
from millstream.plan.nodes import Extractor, Source

REMEMBERED_KEYS = 100_000


@dataclass(slots=True)
class LoadedRows:
    """A decoded batch without the rows that were dropped at its head; `failure` stops the task after the last row."""

    source: TopicPartition
    offsets: Sequence[int]
    timestamps: Sequence[int]
    keys: Sequence[Any]
    values: Sequence[Any]
    raw_keys: Sequence[bytes | None]
    raw_values: Sequence[bytes | None]
    headers: Sequence[Headers] | None
    next_offset: int
    failure: MillstreamError | None
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


Undecodable = Callable[[Batch, int, Exception], MillstreamError | None]


class PartitionInput:
    """One input partition: what was fetched of it and not yet processed, and how far it was."""

    def __init__(
        self, partition: TopicPartition, source: Source, undecodable: Undecodable, metrics: TaskMetrics
    ) -> None:
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
        self._undecodable = undecodable
        self._batches: deque[Batch] = deque()
        self._rows: LoadedRows | None = None
        self._at = 0
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
                failure, self._rows.failure = self._rows.failure, None
                if failure is not None:
                    raise failure
                self.next_offset = self._rows.next_offset
                self._rows = None
            if not self._batches:
                return None
            self._load(self._batches.popleft())
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
            elif run.rows.failure is None:
                self.next_offset = run.rows.next_offset
            else:
                self.next_offset = run.rows.offsets[-1] + 1

    def discard(self) -> None:
        """Forget what is buffered."""
        self._batches.clear()
        self._rows, self.buffered = None, 0

    def _load(self, batch: Batch) -> None:
        """Decode a batch in bulk; one by one where a record in it is bad."""
        undecoded = len(batch)
        try:
            cache, decode = self._keys, self._decode_value
            keys = [None if key is None else cache[key] for key in batch.keys]
            values = [None if value is None else decode(value) for value in batch.values]
            rows = LoadedRows(
                batch.source,
                batch.offsets,
                batch.timestamps,
                keys,
                values,
                batch.keys,
                batch.values,
                batch.headers,
                batch.next_offset,
                None,
            )
        except Exception:  # the loop's edge: whatever a serde raises
            rows = self._load_singly(batch)
        if self._extractor is not None or (rows.timestamps and min(rows.timestamps) < 0):
            rows = self._with_extracted_time(rows)
        self.buffered -= undecoded - len(rows.offsets)
        self._rows, self._at = rows, 0

    def _load_singly(self, batch: Batch) -> LoadedRows:
        good: list[int] = []
        keys: list[Any] = []
        values: list[Any] = []
        failure: MillstreamError | None = None
        for row, (raw_key, raw_value) in enumerate(zip(batch.keys, batch.values, strict=True)):
            try:
                key = None if raw_key is None else self._keys[raw_key]
                value = None if raw_value is None else self._decode_value(raw_value)
            except Exception as error:  # the loop's edge: whatever a serde raises
                failure = self._undecodable(batch, row, error)
                if failure is not None:
                    break
                continue
            good.append(row)
            keys.append(key)
            values.append(value)
        return _selected(batch, good, (keys, values), failure)

    def _with_extracted_time(self, rows: LoadedRows) -> LoadedRows:
        """Rules T1-T3: extract timestamps in order; what has a negative one is dropped."""
        kept: list[int] = []
        timestamps: list[int] = []
        partition_time = self.partition_time
        for row, recorded in enumerate(rows.timestamps):
            time = recorded
            if self._extractor is not None:
                time = self._extractor(rows.keys[row], rows.values[row], recorded, partition_time)
            if time < 0:
                self._metrics.dropped += 1
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
            rows.failure,
        )


def _pick(column: Sequence[Any], rows: list[int]) -> list[Any]:
    return [column[row] for row in rows]


def _selected(
    batch: Batch, good: list[int], decoded: tuple[list[Any], list[Any]], failure: MillstreamError | None
) -> LoadedRows:
    keys, values = decoded
    return LoadedRows(
        batch.source,
        _pick(batch.offsets, good),
        _pick(batch.timestamps, good),
        keys,
        values,
        _pick(batch.keys, good),
        _pick(batch.values, good),
        None if batch.headers is None else _pick(batch.headers, good),
        batch.next_offset,
        failure,
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
