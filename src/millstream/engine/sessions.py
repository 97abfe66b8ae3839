"""Aggregation by key and session: windows that grow with their records, and merge (rules W12-W16)."""

from __future__ import annotations

from heapq import heappop, heappush
from sys import maxsize
from typing import Any

from millstream.engine.closing import EmitTimer, lossless
from millstream.engine.folds import fold_for
from millstream.engine.late import late_records
from millstream.engine.merging import merging_for
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.session_emission import NOTHING, session_emission
from millstream.plan.nodes import Aggregate
from millstream.plan.windows import SessionWindows
from millstream.state import Session, SessionRows

_LEAST_SEGMENT_MS = 60_000  # of Kafka's RocksDB stores


def session_aggregate(node: Aggregate, windows: SessionWindows, downstream: Downstream, parts: Parts) -> NodeFunction:
    sessions = SessionAggregate(node, windows, downstream, parts)
    parts.starts.append(sessions.start)
    return sessions.watching(sessions.process)


class SessionAggregate:
    """One task's sessions. Results have the session's end as their timestamp (rule W15).

    A session is found as long as a record that is not late by itself may be near it, or the retention asks for. A later
    record, which is accepted because the session that it joins has not closed (rule W14), leaves older ones as they
    are: what they are then does not depend on when the store frees them.
    """

    def __init__(self, node: Aggregate, windows: SessionWindows, downstream: Downstream, parts: Parts) -> None:
        self._node = node
        self._rows: SessionRows = parts.rows(str(node.store))
        self._gap = windows.gap_ms
        self._closes_after = windows.gap_ms + windows.grace_ms
        self._merging = merging_for(node.aggregation)
        self._add = self._merging.add
        self._closer = SessionCloser(node, downstream, parts) if node.on_close else None
        emission = session_emission(node, downstream, parts, self._merging.result)
        self._before, self._after = emission.before, emission.after
        self._metrics, self._failed = parts.metrics, parts.failures.processing
        self._late = late_records(downstream, fold_for(node.aggregation))
        self._time = -1  # observed by this operator (rule T5)
        self._times = parts.close_times
        self._remembered = maxsize  # after a session's end; by Kafka's rule the store knows
        parts.clocks[node.name] = self.pass_time
        due = None if self._closer is None else self._next_close
        self.watching = parts.idle_timer(node.idle_after_ms, lambda: self._time, due, self.pass_time)
        if lossless(parts.settings):
            self._remembered = max(self._gap + self._closes_after, self._rows.retention_ms)
            self._rows.limits.append(self._limit)

    def start(self) -> None:
        """A restored store has seen at least its largest end."""
        self._time = self._rows.newest()
        if self._closer is None:
            self._time = max(self._time, self._times.get(str(self._node.store), -1))
        else:
            self._closer.restored()
            if self._closer.last_close >= 0:
                self._time = max(self._time, self._closer.last_close + self._closes_after)
        self._rows.forget()

    def pass_time(self, time: int) -> None:
        """Time goes on without records."""
        self._time = max(self._time, time)
        if self._closer is not None:
            self._closer.emit(self._time - self._closes_after)
        else:
            self._times[str(self._node.store)] = self._time

    def _next_close(self) -> int | None:
        end = None if self._closer is None else self._closer.next_end()
        return None if end is None else end + self._closes_after + 1

    def process(self, key: Any, value: Any, timestamp: int) -> None:
        if key is None:  # W12
            self._metrics.dropped += 1
            return
        if timestamp > self._time:
            self._time = timestamp
        gap = self._gap
        first, past = timestamp - gap, self._time - self._remembered
        found = self._rows.near(key, first if first > past else past, timestamp + gap)  # W13
        start = end = timestamp
        if found:
            if found[0].start < start:
                start = found[0].start
            if found[-1].end > end:
                end = found[-1].end
        if end + self._closes_after < self._time:  # W14
            self._metrics.late += 1
            self._late(key, value, timestamp)
        else:
            self._accepted(key, value, (start, end), found, timestamp)
        if self._closer is not None:
            self._closer.close(self._time - self._closes_after)

    def _accepted(self, key: Any, value: Any, bounds: tuple[int, int], found: list[Session], timestamp: int) -> None:
        """Rule W15."""
        try:
            aggregate = self._add(key, value, self._merged(key, found))
        except Exception as error:
            self._failed(self._node.name, self._node.site, error)
            return
        if self._closer is not None:
            self._closer.changed(self._rows.put(key, bounds, aggregate, timestamp, found))
            return
        told = self._before(found) if found else NOTHING
        self._after(told, self._rows.put(key, bounds, aggregate, timestamp, found))

    def _merged(self, key: Any, found: list[Session]) -> Any:
        merging = self._merging
        if merging.neutral and len(found) == 1:
            return found[0].value
        aggregate = merging.begin()
        for session in found:
            aggregate = merging.merge(key, aggregate, session.value)
        return aggregate

    def _limit(self) -> int:
        """Up to which end a session is not found any more, and was emitted if it is to be."""
        found = self._time - self._remembered - 1
        return found if self._closer is None else min(found, self._closer.last_close - 1)


class SessionCloser:
    """Emits sessions when they have closed, by (end, start, key's bytes) (rules E7-E9)."""

    def __init__(self, node: Aggregate, downstream: Downstream, parts: Parts) -> None:
        self._rows: SessionRows = parts.rows(str(node.store))
        self._store = str(node.store)
        self._forward = downstream.forward
        self._result = merging_for(node.aggregation).result
        self._close_times = parts.close_times
        self.close = EmitTimer(parts).throttled(self.emit)  # what has closed by a record
        self._waiting: list[tuple[int, int, Session]] = []  # a heap; an entry may be older than its session's end
        self._until = 0  # sessions that end before are in it, or closed; the others are found in their store
        self._pushed = 0
        self._lossless = lossless(parts.settings)
        self._segmented = parts.specs[self._store].store_type != "memory"
        self.last_close = -1
        self._rows.awaited_from = 0

    def _lost(self, session: Session) -> bool:
        """Kafka's store finds what has closed as long as it lies in a segment that is still kept; the one in memory,
        which has no segments, as long as the retention says (rule W20).
        """
        if not self._segmented:
            return not self._lossless and session.end <= self._rows.largest_end - self._rows.retention_ms
        segment_ms = max(self._rows.retention_ms // 2, _LEAST_SEGMENT_MS)
        kept_from = (self._rows.largest_end - self._rows.retention_ms) // segment_ms
        return not self._lossless and session.end // segment_ms < kept_from

    def restored(self) -> None:
        """What closed before the restart was emitted before it."""
        self.last_close = self._close_times.get(self._store, -1)
        self._until = self._rows.awaited_from = max(self.last_close, 0)

    def changed(self, session: Session) -> None:
        if session.alive and session.end < self._until and not session.waiting:
            session.waiting = True
            self._pushed += 1
            heappush(self._waiting, (session.end, self._pushed, session))

    def _admit(self, end: int) -> None:
        """Take in the sessions up to the end of a piece of time: few enough to be put in order."""
        first, piece_ms = self._until, self._rows.piece_ms
        self._until = self._rows.awaited_from = (end // piece_ms + 1) * piece_ms
        for session in self._rows.ending(first, self._until):
            self.changed(session)

    def next_end(self) -> int | None:
        """When the first of the sessions ends that are still to be emitted."""
        waiting = self._waiting
        while True:
            while waiting and not (waiting[0][2].alive and waiting[0][2].end == waiting[0][0]):
                _, _, session = heappop(waiting)
                session.waiting = False
                self.changed(session)
            end = None if waiting else self._rows.first_end(self._until)
            if end is None:
                return waiting[0][0] if waiting else None
            self._admit(end)

    def emit(self, close_time: int) -> None:
        """Emit the sessions that end before close_time."""
        if close_time > self._until:
            self._admit(close_time)
        waiting = self._waiting
        if not waiting or waiting[0][0] >= close_time:
            return
        self.last_close = self._close_times[self._store] = close_time
        closed: list[tuple[int, int, bytes, Session]] = []
        encode = self._rows.key.encode
        while waiting and waiting[0][0] < close_time:
            _, _, session = heappop(waiting)
            session.waiting = False
            if session.alive and session.end >= close_time:
                self.changed(session)
            elif session.alive and not self._lost(session):
                closed.append((session.end, session.start, encode(session.key), session))
        for end, _, _, session in sorted(closed, key=lambda item: item[:3]):
            value = session.value if self._result is None else self._result(session.value)
            self._forward(session.windowed(), value, None, end)
