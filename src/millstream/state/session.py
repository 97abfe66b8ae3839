"""Session stores in memory: each key's sessions in order of time, and all of them by their ends, to forget them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from struct import Struct
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde, Window, Windowed
from millstream.state.changes import Changes

# rule F3: after the key's bytes the session's end and its start
_SUFFIX = Struct(">qq")


class Session:
    """One session of a key. It is changed in place while it grows; one that was merged into another, or deleted, is
    not `alive`, while one that was merely forgotten is.

    `logged` are the bounds under which the changelog has it, `waiting` whether it waits to be emitted on its close.
    """

    __slots__ = ("alive", "end", "key", "logged", "start", "timestamp", "value", "waiting")

    def __init__(self, key: Any, start: int, end: int, value: Any) -> None:
        self.key = key
        self.start = start
        self.end = end
        self.value = value
        self.alive = True
        self.waiting = False
        self.logged: Window | None = None
        self.timestamp = end  # of the record that changed it last

    def windowed(self) -> Windowed[Any]:
        return Windowed(self.key, Window(self.start, self.end))


class SessionRows:
    """The sessions of one task's store. Those that end at `limit()` or before are forgotten.

    That is `retention_ms` before the largest end ever put (rule W20), unless nodes say what they need in `limits`.
    `needed` may hold back a session that the limit would let go, by giving the end up to which it is to be kept.
    """

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]], retention_ms: int) -> None:
        self.name = name
        self.key, self.value = serdes
        self.retention_ms = retention_ms
        self.largest_end = -1
        self.gone = -1  # ends up to here are forgotten
        self.limits: list[Callable[[], int]] = []  # of the nodes that need its sessions
        self.needed: Callable[[Session], int | None] | None = None
        self._of: dict[Any, list[Session]] = {}
        self._ends: list[tuple[int, int, Session]] = []  # a heap; an entry may be older than its session's end
        self._pushed = 0
        self._dirty: dict[Session, None] = {}
        self._deleted: dict[tuple[Any, Window], int] = {}  # what the changelog has and the store no longer, with times

    def __len__(self) -> int:
        return sum(1 for _ in self.all())

    def near(self, key: Any, first: int, last: int) -> list[Session]:
        """A key's sessions that end at `first` or later and start at `last` or before, in order."""
        sessions = self._of.get(key)
        if sessions is None:
            return []
        at = bisect_left(sessions, self._shown_from(first), key=_end)
        found = []
        while at < len(sessions) and sessions[at].start <= last:
            found.append(sessions[at])
            at += 1
        return found

    def get(self, windowed: Windowed[Any]) -> list[Any] | None:
        """The value and timestamp of the session with just these bounds."""
        start, end = windowed.window
        for session in self.near(windowed.key, end, start):
            if (session.start, session.end) == (start, end):
                return [session.value, end]
        return None

    def after(self, session: Session) -> Session | None:
        """The key's next session."""
        sessions = self._of.get(session.key, [])
        at = bisect_left(sessions, session.end + 1, key=_end)
        return sessions[at] if at < len(sessions) else None

    def put(self, key: Any, bounds: Window, value: Any, timestamp: int, merged: list[Session]) -> Session:
        """One session in place of those that were merged into it; the value None leaves none."""
        if bounds.end > self.largest_end:
            self.largest_end = bounds.end
        for session in merged if value is None else merged[1:]:
            session.alive = False
            self._remove(session)
            self._delete_logged(session, timestamp)
        session = merged[0] if merged else Session(key, bounds.start, bounds.end, value)
        if value is not None:
            if session.logged is not None and session.logged != bounds:
                self._delete_logged(session, timestamp)
            session.start, session.end, session.value, session.timestamp = *bounds, value, timestamp
            self._dirty[session] = None
            if not merged:
                self._add(session)
        self.forget()
        return session

    def limit(self) -> int:
        """The end up to which nothing is needed: by any node that says what it needs, else by the retention."""
        if self.limits:
            return min(limit() for limit in self.limits)
        return self.largest_end - self.retention_ms

    def forget(self) -> None:
        """Let go of the sessions that end at the limit or before; those whose changes are not in the changelog yet
        are gone at once for those who look for them, and lie here until then.
        """
        limit = self.limit()
        if self.needed is None:
            self.gone = max(self.gone, limit)
        ends = self._ends
        while ends and ends[0][0] <= limit:
            _, _, session = ends[0]
            if not session.alive:
                heappop(ends)
                continue
            keep = session.end if session.end > limit else self.needed(session) if self.needed is not None else None
            if keep is None and session in self._dirty:
                return
            heappop(ends)
            if keep is None:
                self._remove(session)
            else:
                self._push(max(keep, limit + 1), session)

    def newest(self) -> int:
        """The largest end of any session, -1 if there is none."""
        return max((session.end for session in self.all()), default=-1)

    def all(self) -> Iterator[Session]:
        """Every session, key by key."""
        for sessions in self._of.values():
            yield from (session for session in sessions if session.end > self.gone)

    def _shown_from(self, end: int) -> int:
        return max(end, self.gone + 1)

    def _add(self, session: Session) -> None:
        sessions = self._of.setdefault(session.key, [])
        sessions.insert(bisect_left(sessions, session.end, key=_end), session)
        self._push(session.end, session)

    def _push(self, end: int, session: Session) -> None:
        self._pushed += 1
        heappush(self._ends, (end, self._pushed, session))

    def _remove(self, session: Session) -> None:
        self._dirty.pop(session, None)
        sessions = self._of[session.key]
        at = bisect_left(sessions, session.end, key=_end)
        while sessions[at] is not session:
            at += 1
        del sessions[at]
        if not sessions:
            del self._of[session.key]

    def _delete_logged(self, session: Session, timestamp: int) -> None:
        if session.logged is not None:
            self._deleted[session.key, session.logged] = timestamp
            session.logged = None

    # --- changelog (rule F3)

    def take_changes(self) -> Changes:
        """The sessions changed since the last call, after the deletes of those that are no more."""
        encode_key, encode_value, suffix = self.key.encode, self.value.encode, _SUFFIX.pack
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        timestamps: list[int] = []
        for (key, (start, end)), timestamp in self._deleted.items():
            keys.append(encode_key(key) + suffix(end, start))
            values.append(None)
            timestamps.append(timestamp)
        for session in self._dirty:
            keys.append(encode_key(session.key) + suffix(session.end, session.start))
            values.append(encode_value(session.value))
            timestamps.append(session.timestamp)
        for session in self._dirty:
            session.logged = Window(session.start, session.end)
        self._deleted.clear()
        self._dirty.clear()
        return Changes(timestamps, keys, values)

    def restore(self, batch: Batch) -> None:
        """Apply changelog records. The bounds of one key's sessions may overlap on the way, and don't at the end."""
        for data, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if data is None:
                continue
            end, start = _SUFFIX.unpack(data[-_SUFFIX.size :])
            key = self.key.decode(data[: -_SUFFIX.size])
            self._restore(key, Window(start, end), None if value is None else self.value.decode(value), timestamp)

    def _restore(self, key: Any, bounds: Window, value: Any, timestamp: int) -> None:
        sessions = self._of.get(key, [])
        known = next((each for each in sessions if (each.start, each.end) == bounds), None)
        if known is not None:
            sessions.remove(known)
            known.alive = False
            if not sessions:
                del self._of[key]
        if value is not None:
            session = Session(key, *bounds, value)
            session.logged, session.timestamp = bounds, timestamp
            self.largest_end = max(self.largest_end, bounds.end)
            self._add(session)
            self.forget()


def _end(session: Session) -> int:
    return session.end
