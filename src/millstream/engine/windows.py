"""Aggregation by key and time window: tumbling, hopping and unlimited (rules W1-W5, W17)."""

from __future__ import annotations

from typing import Any

from millstream.engine.closing import WindowCloser, lossless
from millstream.engine.folds import fold_for, old_of_none
from millstream.engine.late import late_records
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.window_emission import window_emitter
from millstream.plan.nodes import Aggregate
from millstream.plan.windows import FOREVER, TimeWindows, UnlimitedWindows
from millstream.serde import Window
from millstream.state import WindowRows
from millstream.state.window import Segment


def windowed_aggregate(
    node: Aggregate, windows: TimeWindows | UnlimitedWindows, downstream: Downstream, parts: Parts
) -> NodeFunction:
    store: WindowRows = parts.rows(str(node.store))
    fold = fold_for(node.aggregation)
    emit = window_emitter(node, downstream, parts, fold.result)
    first, then = fold.first, fold.then
    kept = FOREVER if isinstance(windows, UnlimitedWindows) else windows.size_ms + windows.grace_ms
    none = old_of_none(fold, node)
    metrics, failed = parts.metrics, parts.failures.processing
    late = late_records(downstream, fold)
    segment_of = store.segment
    stream_time = -1  # observed by this operator (rule T5)
    closer = WindowCloser(node, downstream, parts, fold.result) if node.on_close else None
    grace = kept - store.size_ms

    def start() -> None:
        """A restored store has seen at least its newest row; without this late records would count again (Z7)."""
        nonlocal stream_time
        stream_time = store.newest()
        if closer is None:
            stream_time = max(stream_time, parts.close_times.get(store.name, -1))
        else:
            closer.restored()
            stream_time = max(stream_time, closer.last_close + grace if closer.last_close >= 0 else -1)

    def limit() -> int:
        """Up to which start no record can reach a window any more (rule W3)."""
        end = stream_time - store.retention_ms
        return end if closer is None else min(end, closer.last_close - store.size_ms)

    def update(key: Any, value: Any, timestamp: int, segment: Segment) -> bool:
        """Whether the record goes on to its next window."""
        row = segment.get(key)
        try:
            if row is None:
                old = None if none is None else none()
                new = first(key, value)
            else:
                old = row[0]
                new = then(key, value, old)
        except Exception as error:
            failed(node.name, node.site, error)
            return False
        if row is None:
            row = [new, timestamp, key, segment.window, None]
            if new is not None:
                segment.rows[key] = row
        else:
            if row[1] > timestamp:  # W4
                timestamp = row[1]
            row[0], row[1] = new, timestamp
            if new is None:
                segment.remove(key)
        segment.dirty[key] = row
        if closer is None:
            emit(row, old)
        return True

    def pass_time(time: int) -> None:
        nonlocal stream_time
        stream_time = max(stream_time, time)
        if closer is not None:
            closer.emit(stream_time - grace)
        else:
            parts.close_times[store.name] = stream_time

    def next_close() -> int | None:
        end = None if closer is None else closer.next_end()
        return None if end is None else end + grace

    parts.clocks[node.name] = pass_time
    due = None if closer is None else next_close
    watching = parts.idle_timer(node.idle_after_ms, lambda: stream_time, due, pass_time)
    if lossless(parts.settings):
        store.limits.append(limit)
    parts.starts.append(start)

    def accepted(key: Any, timestamp: int) -> bool:
        nonlocal stream_time
        if key is None:  # W2
            metrics.dropped += 1
            return False
        if timestamp > stream_time:
            stream_time = timestamp
        return True

    def unlimited(key: Any, value: Any, timestamp: int) -> None:
        if accepted(key, timestamp) and timestamp >= begins:  # W17
            update(key, value, timestamp, segment_of(begins))

    if isinstance(windows, UnlimitedWindows):
        begins = windows.start_ms
        return unlimited
    size, advance = windows.size_ms, windows.advance_ms

    current, current_begin = Segment(Window(0, 0)), -1

    def tumbling(key: Any, value: Any, timestamp: int) -> None:
        nonlocal stream_time, current, current_begin
        if key is None:
            metrics.dropped += 1
            return
        if timestamp > stream_time:
            stream_time = timestamp
        begin = timestamp - timestamp % size
        if begin + kept <= stream_time:  # W3
            metrics.late += 1
            late(key, value, timestamp)
        else:
            # the store knows of a segment with unlogged changes, so that it need not be asked for it again
            if begin != current_begin or not current.dirty or begin <= store.gone:
                current, current_begin = segment_of(begin), begin
            update(key, value, timestamp, current)
        if closer is not None:
            closer.close(stream_time - grace)

    def hopping(key: Any, value: Any, timestamp: int) -> None:
        if not accepted(key, timestamp):
            return
        for begin in range(max(0, timestamp - size + advance) // advance * advance, timestamp + 1, advance):  # W1
            if begin + kept <= stream_time:  # W3
                metrics.late += 1
            elif not update(key, value, timestamp, segment_of(begin)):
                break
        if timestamp - timestamp % advance + kept <= stream_time:  # late for the last of them, so for all
            late(key, value, timestamp)
        if closer is not None:
            closer.close(stream_time - grace)

    return watching(tumbling if advance == size else hopping)
