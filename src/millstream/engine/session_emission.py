"""When a session's updates are passed on: each one (E1), or the latest of each session at the end of a round (E5).

A session that grew, or into which others were merged, is told of as a delete of what was told before and an update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from millstream.engine.context import Place
from millstream.engine.emission import with_results
from millstream.engine.parts import Downstream, Parts
from millstream.plan.nodes import Aggregate
from millstream.serde import Window, Windowed, window_of
from millstream.state import Session

Told: TypeAlias = Sequence[tuple[int, int, Any]]  # start, end and value, as they were told
Tell: TypeAlias = Callable[[Any, Window, Any, Any], None]  # key, bounds, new and old value
Update: TypeAlias = tuple[Any, Window, Any, Any, Place]  # the same, and what it came from

NOTHING: Told = ()


class SessionEmission(Protocol):
    """Asked before each change of the sessions, and told after it."""

    def before(self, found: Sequence[Session]) -> Told:
        """What is to be said of these sessions, which are about to be merged."""

    def after(self, told: Told, session: Session) -> None:
        """They became this one. It is not alive where they left nothing."""


def session_emission(
    node: Aggregate, downstream: Downstream, parts: Parts, result: Callable[[Any], Any] | None
) -> SessionEmission:
    tell = _telling(downstream, result, sends_old=node.sends_old)
    return LatestSessions(tell, parts) if node.emit == "latest" else EverySession(tell, parts)


def _telling(downstream: Downstream, result: Callable[[Any], Any] | None, *, sends_old: bool) -> Tell:
    """Passes on one update, with the session's end as its timestamp."""
    forward, apart = with_results(downstream.forward, result, sends_old=sends_old), downstream.apart
    if apart is None:
        return lambda key, bounds, new, old: forward(Windowed(key, bounds), new, old, bounds.end)
    put = apart
    if result is None:
        return lambda key, bounds, new, _old: put(key, bounds, new, bounds.end)
    of = result
    return lambda key, bounds, new, _old: put(key, bounds, None if new is None else of(new), bounds.end)


class EverySession:
    """Rule W15: a tombstone for each session that went into it, even with the same bounds, then the session."""

    def __init__(self, tell: Tell, parts: Parts) -> None:
        self._tell = tell
        self._context = parts.context

    def before(self, found: Sequence[Session]) -> Told:
        return [(session.start, session.end, session.value) for session in found]

    def after(self, told: Told, session: Session) -> None:
        context, key, bounds = self._context, session.key, session.bounds
        headers, context.headers = context.headers, ()  # sessions carry none in Kafka Streams
        value = session.value
        if told and bounds.start != bounds.end:
            session.value = None  # who looks it up while the tombstones pass finds nothing
            try:
                for start, end, was in told:
                    self._tell(key, window_of((start, end)), None, was)
            finally:
                session.value = value
        self._tell(key, bounds, value, None)
        context.headers = headers


class LatestSessions:
    """A session costs one delete and one update in a round, however often it grew: nobody below knows of the bounds
    that it had in between (rules E4, E5).
    """

    def __init__(self, tell: Tell, parts: Parts) -> None:
        self._tell = tell
        self._context = parts.context
        self._wants_places = parts.wants_places
        self._pending: dict[Session, Told] = {}  # by last update, the oldest first (rule E3)
        self._places: dict[Session, Place] = {}  # of these, if they are asked for
        self._left: list[Update] = []  # of a round that failed
        parts.flushes.append(self.flush)

    def before(self, found: Sequence[Session]) -> Told:
        """A session that is pending was told as it was before its first change in this round, if at all."""
        told = NOTHING
        for session in found:
            was = self._pending.pop(session, None)
            if was is None:
                was = [(session.start, session.end, session.value)]
            told = [*told, *was] if told else was
        return told

    def after(self, told: Told, session: Session) -> None:
        self._pending[session] = told
        if self._wants_places:
            self._places[session] = self._context.place()

    def flush(self) -> None:
        if not self._pending and not self._left:
            return
        context, tell = self._context, self._tell
        updates = self._updates(self._left, self._pending, self._places)
        self._left, self._pending, self._places = [], {}, {}
        context.headers = ()
        try:
            for update in updates:
                key, bounds, new, old, (context.rows, context.row) = update
                context.timestamp = bounds.end
                tell(key, bounds, new, old)
        except BaseException:  # it and those after it are still to be passed on: a commit must not go past them
            self._left = [update, *updates]
            raise
        finally:
            context.rows, context.row = None, -1

    def _updates(
        self, left: list[Update], pending: dict[Session, Told], places: dict[Session, Place]
    ) -> Iterator[Update]:
        yield from left
        place: Place = (None, -1)
        for session, told in pending.items():
            if places:
                place = places[session]
            key, start, end, alive, old = session.key, session.start, session.end, session.alive, None
            for first, last, was in told:
                if alive and first == start and last == end:
                    old = was
                else:
                    yield key, window_of((first, last)), None, was, place
            if alive:
                yield key, window_of((start, end)), session.value, old, place
