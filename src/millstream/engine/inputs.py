"""A task's input partitions: what is buffered of each, how far each is, and the order between them (T4-T7)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from millstream.engine.rows import LoadedRows, RowDecoder
from millstream.errors import MillstreamError
from millstream.model import Batch, TopicPartition


class Run(NamedTuple):
    """Rows `first` to `end` (not included) of one partition, to be processed one after the other."""

    rows: LoadedRows
    first: int
    end: int


class PartitionInput:
    """One input partition: what was fetched of it and not yet processed, and how far it was."""

    def __init__(self, partition: TopicPartition, decoder: RowDecoder) -> None:
        self.partition = partition
        self.partition_time = -1  # rule T1: of the records taken so far
        self.buffered = 0
        self.caught_up_at: int | None = None
        self.idle_since: int | None = None  # wall time since when nothing is buffered and nothing is to come
        self.empty_since: int | None = None  # wall time since when nothing is buffered, whatever is to come
        self.resumed_at: int | None = None  # the committed offset that it begins from
        self.next_offset: int | None = None
        self._decoder = decoder
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
        self.idle_since = self.empty_since = None

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
                self._decoded.extend(self._decoder.decode(self._batches.popleft()))
            piece = self._decoded.popleft()
            self._rows, self._at = self._decoder.timed(piece, self.partition_time), 0
            self.buffered -= len(piece.offsets) - len(self._rows.offsets)
        return self._rows.timestamps[self._at]

    def run(self, max_rows: int, last_ms: int | None) -> Run:
        """Up to max_rows records from the head on, until the first whose timestamp is above last_ms."""
        rows = self._rows
        assert rows is not None
        first = self._at
        end = min(first + max_rows, len(rows.offsets))
        if last_ms is not None and max(islice(rows.timestamps, first, end)) > last_ms:
            end = next(at for at in range(first, end) if rows.timestamps[at] > last_ms)
        return Run(rows, first, end)

    def taken(self, run: Run, count: int) -> None:
        """The first `count` records of a run are processed."""
        if count:
            self._at = run.first + count
            self.buffered -= count
            newest = max(islice(run.rows.timestamps, run.first, self._at))
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


class TaskInputs:
    """All input partitions of a task, and which record comes next: the smallest head timestamp (rule T6)."""

    def __init__(self, inputs: Sequence[PartitionInput], wait_ms: int | None, idle_after_ms: int | None = None) -> None:
        self._inputs = sorted(inputs, key=lambda item: item.partition)
        self._wait_ms = wait_ms
        self._idle_after_ms = idle_after_ms
        self.by_partition = {item.partition: item for item in inputs}

    def ready(self, wall_ms: int) -> bool:
        """Rule T7: whether every partition has data, or is known to have none and was waited for long enough."""
        ready = True
        some = False
        for item in self._inputs:
            if item.head() is not None:
                some = True
            elif self._wait_ms is not None and not self._idle(item, wall_ms):
                if not item.caught_up:
                    ready = False
                elif self._wait_ms > 0:
                    item.idle_since = wall_ms if item.idle_since is None else item.idle_since
                    ready = ready and wall_ms - item.idle_since >= self._wait_ms
        return ready and some

    def _idle(self, item: PartitionInput, wall_ms: int) -> bool:
        """Whether a partition without data has had none for so long that it is not waited for."""
        if self._idle_after_ms is None:
            return False
        item.empty_since = wall_ms if item.empty_since is None else item.empty_since
        return wall_ms - item.empty_since >= self._idle_after_ms

    def at_rest(self) -> bool:
        """Whether everything there is was read to its end, and processed."""
        return all(item.caught_up and not item.buffered for item in self._inputs)

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
