"""Session stores in memory: each key's sessions in order of time, and all of them by the piece of time they end in."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from struct import Struct
from typing import Any

from millstream.model import Batch
from millstream.serde import Serde, Window, Windowed, window_of
from millstream.state.changes import Changes

# rule F3: after the key's bytes the session's end and its start
SUFFIX = Struct(">qq")
_PIECES = 16  # sessions are freed by pieces of the retention


class Session:
    """One session of a key. It is changed in place while it grows; one that was merged into another, or deleted, is
    not `alive`, while one that was merely forgotten is.

    `timestamp` is that of the record which changed it last. From `logged_start` to `logged_end` is how the changelog
    has it, -1 if it does not; `waiting` whether it waits to be emitted on its close; `piece` the piece of time in which
    its rows look at it again, -1 while they do not hold it. Numbers alone, no windows: Python's collector of garbage
    looks at each object that may refer to others.
    """

    __slots__ = ("alive", "end", "key", "logged_end", "logged_start", "piece", "start", "timestamp", "value", "waiting")

    def __init__(self, key: Any, bounds: tuple[int, int], value: Any, timestamp: int) -> None:
        self.key = key
        self.start, self.end = bounds
        self.value = value
        self.timestamp = timestamp
        self.alive = True
        self.waiting = False
        self.logged_start = self.logged_end = -1
        self.piece = -1

    @property
    def bounds(self) -> Window:
        return window_of((self.start, self.end))

    def windowed(self) -> Windowed[Any]:
        return Windowed(self.key, window_of((self.start, self.end)))

    def log(self) -> None:
        """The changelog has it as it is."""
        self.logged_start, self.logged_end = self.start, self.end


class SessionRows:
    """The sessions of one task's store. Those that end at `limit()` or before are forgotten.

    That is `retention_ms` before the largest end ever put (rule W20), unless nodes say what they need in `limits`.

    What the retention lets go is hidden at once. Memory is freed when the changelog has what it must have, by pieces
    of time, so that it costs nothing by record.
    """

    def __init__(self, name: str, serdes: tuple[Serde[Any], Serde[Any]], retention_ms: int) -> None:
        self.name = name
        self.key, self.value = serdes
        self.retention_ms = retention_ms
        self.largest_end = -1
        self.limits: list[Callable[[], int]] = []  # of the nodes that need its sessions
        self.awaited_from: int | None = None  # sessions that end then or later are not freed: they wait for their close
        self._last: dict[Any, Session] = {}  # of each key
        self._earlier: dict[Any, list[Session]] = {}  # in order, of the keys that have more than one
        self.piece_ms = max(retention_ms // _PIECES, 1)
        self._pieces: dict[int, list[Session]] = {}  # those that have moved to another piece are here too
        self._oldest: list[int] = []  # a heap of these
        self._dirty: dict[Session, None] = {}
        self._deleted: dict[tuple[Any, Window], int] = {}  # what the changelog has and the store no longer, with times

    def __len__(self) -> int:
        return sum(1 for _ in self.all())

    @property
    def gone(self) -> int:
        """Sessions that end then or before are not found; nodes that have limits say themselves what they look for."""
        return -1 if self.limits else self.largest_end - self.retention_ms

    def near(self, key: Any, first: int, last: int) -> list[Session]:
        """A key's sessions that end at `first` or later and start at `last` or before, in order."""
        latest = self._last.get(key)
        if latest is None:
            return []
        if not self.limits and first <= self.largest_end - self.retention_ms:
            first = self.largest_end - self.retention_ms + 1
        earlier = self._earlier.get(key)
        is_near = latest.end >= first and latest.start <= last
        if earlier is None or earlier[-1].end < first:
            return [latest] if is_near else []
        found: list[Session] = []
        for at in range(bisect_left(earlier, first, key=_end), len(earlier)):
            if earlier[at].start > last:
                return found
            found.append(earlier[at])
        if is_near:
            found.append(latest)
        return found

    def get(self, windowed: Windowed[Any]) -> list[Any] | None:
        """The value and timestamp of the session with just these bounds."""
        start, end = windowed.window
        for session in self.near(windowed.key, end, start):
            if session.start == start and session.end == end > self.limit():
                return None if session.value is None else [session.value, end]
        return None

    def put(self, key: Any, bounds: tuple[int, int], value: Any, timestamp: int, merged: list[Session]) -> Session:
        """One session in place of those that were merged into it; the value None leaves none."""
        start, end = bounds
        if end > self.largest_end:
            self.largest_end = end
        if value is None:
            for session in merged:
                self._remove(session)
                self._delete_logged(session, timestamp)
            session = Session(key, bounds, None, timestamp)
            session.alive = False
            return session
        if not merged:
            session = Session(key, bounds, value, timestamp)
            self._dirty[session] = None
            self._add(session)
            return session
        for session in merged[1:]:
            self._remove(session)
            self._delete_logged(session, timestamp)
        session = merged[0]
        if session.logged_start >= 0 and (session.logged_start != start or session.logged_end != end):
            self._delete_logged(session, timestamp)
        session.start, session.end, session.value, session.timestamp = start, end, value, timestamp
        self._dirty[session] = None
        if session.piece < 0:
            self._add(session)
        elif session.piece != end // self.piece_ms:
            self._note(end, session)
        return session

    def limit(self) -> int:
        """The end up to which nothing is needed: by any node that says what it needs, else by the retention."""
        if self.limits:
            return min(limit() for limit in self.limits)
        return self.largest_end - self.retention_ms

    def forget(self) -> None:
        """Free the sessions of pieces that end at the limit or before, but for those that wait for the changelog."""
        limit, oldest = self._free_until(), self._oldest
        later: list[Session] = []
        while oldest and (oldest[0] + 1) * self.piece_ms - 1 <= limit:
            piece = heappop(oldest)
            for session in self._pieces.pop(piece):
                if session.piece != piece:
                    continue
                if session.end > limit or self._unlogged(session):
                    later.append(session)
                else:
                    self._drop(session)
        for session in later:
            self._note(max(session.end, limit + 1), session)

    def _free_until(self) -> int:
        limit = self.limit()
        return limit if self.awaited_from is None else min(limit, self.awaited_from - 1)

    def _unlogged(self, session: Session) -> bool:
        return session in self._dirty

    # --- by their ends

    def ending(self, first: int, until: int) -> Iterator[Session]:
        """The sessions that end at `first` or later and before `until`, in no order."""
        piece_ms = self.piece_ms
        for piece in [piece for piece in self._pieces if first // piece_ms <= piece <= (until - 1) // piece_ms]:
            for session in self._pieces[piece]:
                if session.piece == piece and first <= session.end < until:
                    yield session

    def first_end(self, first: int) -> int | None:
        """The first end of a session at `first` or later."""
        for piece in sorted(piece for piece in self._pieces if piece >= first // self.piece_ms):
            ends = [each.end for each in self._pieces[piece] if each.piece == piece and each.end >= first]
            if ends:
                return min(ends)
        return None

    def newest(self) -> int:
        """The largest end that was ever put, or restored; -1 if there is none."""
        return self.largest_end

    def all(self) -> Iterator[Session]:
        """Every session, key by key."""
        gone = self.limit()
        for key in self._last:
            yield from (session for session in self._sessions(key) if session.end > gone)

    def _sessions(self, key: Any) -> list[Session]:
        """All of a key, in order."""
        latest = self._last.get(key)
        return [] if latest is None else [*self._earlier.get(key, ()), latest]

    def _add(self, session: Session) -> None:
        key = session.key
        latest = self._last.get(key)
        if latest is None:
            self._last[key] = session
        else:
            earlier = self._earlier.setdefault(key, [])
            if latest.end < session.end:
                earlier.append(latest)
                self._last[key] = session
            else:
                earlier.insert(bisect_left(earlier, session.end, key=_end), session)
        self._note(session.end, session)

    def _note(self, end: int, session: Session) -> None:
        """Look at it again when the piece of this end is to be freed."""
        session.piece = piece = end // self.piece_ms
        found = self._pieces.get(piece)
        if found is None:
            self._pieces[piece] = [session]
            heappush(self._oldest, piece)
        else:
            found.append(session)

    def _remove(self, session: Session) -> None:
        session.alive = False
        self._dirty.pop(session, None)
        self._drop(session)

    def _drop(self, session: Session) -> None:
        """Hold it no longer."""
        if session.piece < 0:
            return
        session.piece = -1
        key = session.key
        earlier = self._earlier.get(key)
        if earlier is None:
            del self._last[key]
            return
        if self._last[key] is session:
            self._last[key] = earlier.pop()
        else:
            at = bisect_left(earlier, session.end, key=_end)
            while earlier[at] is not session:  # only sessions that a processor put may end at the same time
                at += 1
            del earlier[at]
        if not earlier:
            del self._earlier[key]

    def _delete_logged(self, session: Session, timestamp: int) -> None:
        if session.logged_start >= 0:
            self._deleted[session.key, window_of((session.logged_start, session.logged_end))] = timestamp
            session.logged_start = session.logged_end = -1

    # --- changelog (rule F3)

    def take_changes(self) -> Changes:
        """The sessions changed since the last call, after the deletes of those that are no more."""
        encode_key, encode_value, suffix = self.key.encode, self.value.encode, SUFFIX.pack
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
            session.log()
        self._taken()
        self._deleted.clear()
        self._dirty.clear()
        self.forget()
        return Changes(timestamps, keys, values)

    def _taken(self) -> None:
        """What is dirty and deleted is on its way to the changelog."""

    def restore(self, batch: Batch) -> None:
        """Apply changelog records. The bounds of one key's sessions may overlap on the way, and don't at the end."""
        for data, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if data is None:
                continue
            end, start = SUFFIX.unpack(data[-SUFFIX.size :])
            key = self.key.decode(data[: -SUFFIX.size])
            self._restore(key, Window(start, end), None if value is None else self.value.decode(value), timestamp)
        if not self.limits:
            self.forget()

    def _restore(self, key: Any, bounds: Window, value: Any, timestamp: int) -> None:
        for session in self.near(key, bounds.end, bounds.end):
            if session.start == bounds.start and session.end == bounds.end:
                self._remove(session)
                break
        if value is not None:
            session = Session(key, bounds, value, timestamp)
            session.log()
            self.largest_end = max(self.largest_end, bounds.end)
            self._add(session)


def _end(session: Session) -> int:
    return session.end
