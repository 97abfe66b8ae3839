"""Rows of one input partition on their way from bytes to what nodes take: decoded, with their timestamps (T1-T3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import length_hint
from typing import Any, NamedTuple

from millstream.engine.metrics import TaskMetrics
from millstream.engine.remembered import Remembered, most_of
from millstream.engine.settings import BadTime
from millstream.errors import MillstreamError
from millstream.model import Batch, Headers, TopicPartition
from millstream.plan.nodes import Extractor, Source


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
    keys_left: Iterator[Any] | None = None  # what `walk` has still to give
    _left: Iterator[tuple[Any, Any, int]] | None = None

    def walk(self, first: int, end: int) -> Iterator[tuple[Any, Any, int]]:
        """(key, value, timestamp) of rows `first` to `end`. The next run goes on where this one ended: nothing is
        copied.
        """
        if self._left is None or self.at_hand() != first - 1:
            columns = self.keys, self.values, self.timestamps
            keys, values, timestamps = (column[first:] for column in columns) if first else columns
            self.keys_left = iter(keys)
            self._left = zip(self.keys_left, values, timestamps, strict=False)
        return islice(self._left, end - first)

    def at_hand(self) -> int:
        """The row that was given last: those that there are, less those that are still to be given."""
        return len(self.keys) - length_hint(self.keys_left) - 1


def place_of(source: TopicPartition, offset: int, timestamp: int) -> LoadedRows | None:
    """Where a record stood that was held back meanwhile, as its row 0; its bytes are not kept.

    None for one that a punctuation made, which stands nowhere.
    """
    if offset < 0:
        return None
    return LoadedRows(source, [offset], [timestamp], [None], [None], [None], [None], None, offset + 1)


class BadTimeError(Exception):
    """A record's own timestamp is negative, and nothing was said of what is to become of it."""

    def __init__(self, timestamp: int) -> None:
        super().__init__(f"its timestamp is {timestamp}")


class Refusals(NamedTuple):
    """What to do with a bad record: the error that stops the task, None if it is to be skipped."""

    undecodable: Callable[[Batch, int, Exception], MillstreamError | None]
    untimed: Callable[[LoadedRows, int, Exception], MillstreamError]


class RowDecoder:
    """From fetched batches to rows, for one partition."""

    def __init__(self, source: Source, refusals: Refusals, metrics: TaskMetrics, on_bad_time: BadTime = "fail") -> None:
        self._metrics = metrics
        # a negative time that the user's own function gave says that the record is to be dropped
        self._on_bad_time: BadTime = on_bad_time if source.extractor is None else "skip"
        self._extractor: Extractor | None = source.extractor
        self._decode_value = source.value.decode
        self._keys: Remembered[bytes, Any] = Remembered(source.key.decode, most_of(source.key))  # hashed once, too
        self._refusals = refusals

    def decode(self, batch: Batch) -> list[LoadedRows]:
        """A batch in bulk; one by one where a record in it is bad."""
        try:
            decode = self._decode_value
            keys = self._keys.of_all(batch.keys)
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

    def timed(self, rows: LoadedRows, partition_time: int) -> LoadedRows:
        """Rules T1-T3: extract timestamps in order; what becomes of a negative one is a setting."""
        if self._extractor is None and (not rows.timestamps or min(rows.timestamps) >= 0):
            return rows
        kept: list[int] = []
        timestamps: list[int] = []
        bad = rows.bad
        for row, recorded in enumerate(rows.timestamps):
            time = recorded
            if self._extractor is not None:
                try:
                    time = _whole_ms(self._extractor(rows.keys[row], rows.values[row], recorded, partition_time))
                except Exception as error:  # the user's function
                    bad = BadRow(rows.offsets[row], partial(self._refusals.untimed, rows, row, error))
                    break
            if time < 0 and self._on_bad_time == "partition_time":
                time = partition_time
            if time < 0 and self._on_bad_time == "skip":
                self._metrics.dropped += 1
                continue
            if time < 0:
                bad = BadRow(rows.offsets[row], partial(self._refusals.untimed, rows, row, BadTimeError(recorded)))
                break
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
