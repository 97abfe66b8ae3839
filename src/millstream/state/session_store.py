"""Session stores as a processor sees them: Kafka Streams' `SessionStore` (rules P9, W20)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

from millstream.serde import Serde, Window, Windowed
from millstream.state.access import UNRESTRICTED, Access
from millstream.state.session import Session

K = TypeVar("K")
V = TypeVar("V")

_LAST_MS = 2**63 - 1


class SessionedRows(Protocol):
    """Rows of sessions by key and bounds."""

    name: str
    key: Serde[Any]

    def limit(self) -> int: ...
    def near(self, key: Any, first: int, last: int) -> list[Session]: ...
    def all(self) -> Iterator[Session]: ...
    def put(self, key: Any, bounds: Window, value: Any, timestamp: int, merged: list[Session]) -> object: ...


class SessionStore(Generic[K, V]):
    """A value for each key and session; a session is known by its first and last moment, in ms, both included.

    Sessions that end `retention` or more before the latest end are forgotten. Those of a key come by end, then start.

    >>> from millstream.serde import INT64, STRING, Window, Windowed
    >>> from millstream.state import SessionRows
    >>> store = SessionStore(SessionRows("visits", (STRING, INT64), retention_ms=50))
    >>> store.put(Windowed("a", Window(0, 5)), 1); store.put(Windowed("a", Window(20, 30)), 2)
    >>> list(store.find_sessions("a", 10, 40)), list(store.fetch("a", reverse=True))
    ([(a@20/30, 2)], [(a@20/30, 2), (a@0/5, 1)])
    >>> store.remove(Windowed("a", Window(20, 30)))
    >>> store.name, store.fetch_session("a", 0, 5), list(store.fetch_range("a", "b")), list(store.all())
    ('visits', 1, [(a@0/5, 1)], [(a@0/5, 1)])
    """

    def __init__(self, rows: SessionedRows, access: Access = UNRESTRICTED) -> None:
        self._rows = rows
        self._access = access

    @property
    def name(self) -> str:
        """The name that the store was declared with."""
        return self._rows.name

    # --- one session

    def put(self, session: Windowed[K], value: V | None) -> None:
        """Set the value of a session; None removes it."""
        if session.key is None:
            raise ValueError(f"store {self.name!r}: a key must not be None")
        start, end = session.window
        if not 0 <= start <= end:
            raise ValueError(f"store {self.name!r}: a session starts at 0 or later and ends no earlier, got {session}")
        known = self._find(session.key, start, end)
        self._rows.put(session.key, session.window, value, self._access.now(), [] if known is None else [known])

    def remove(self, session: Windowed[K]) -> None:
        """Remove a session, if there is one with just these bounds."""
        self.put(session, None)

    def fetch_session(self, key: K, start: int, end: int) -> V | None:
        """The value of the session with just these bounds."""
        found = self._find(key, start, end)
        return None if found is None else self._access.shown(found.value)

    # --- many

    def find_sessions(
        self, key: K, earliest_end: int, latest_start: int, *, reverse: bool = False
    ) -> Iterator[tuple[Windowed[K], V]]:
        """The key's sessions that end at `earliest_end` or later and start at `latest_start` or before."""
        # the rows look no further than the first session that starts too late, and here sessions may overlap
        near = [each for each in self._near(key, earliest_end) if each.start <= latest_start]
        return self._told(near, reverse=reverse)

    def fetch(self, key: K, *, reverse: bool = False) -> Iterator[tuple[Windowed[K], V]]:
        """All sessions of a key."""
        return self._told(self._near(key, 0), reverse=reverse)

    def fetch_range(
        self, first_key: K | None, last_key: K | None, *, reverse: bool = False
    ) -> Iterator[tuple[Windowed[K], V]]:
        """All sessions of the keys from `first_key` to `last_key`, by the order of their bytes; None is open."""
        encode = self._rows.key.encode
        low = None if first_key is None else encode(first_key)
        high = None if last_key is None else encode(last_key)
        found = [
            (data, session)
            for session in self._rows.all()
            for data in (encode(session.key),)
            if (low is None or low <= data) and (high is None or data <= high)
        ]
        found.sort(key=lambda item: (item[0], *_by_end(item[1])), reverse=reverse)
        for _, session in found:
            yield session.windowed(), self._access.shown(session.value)

    def all(self, *, reverse: bool = False) -> Iterator[tuple[Windowed[K], V]]:
        """All sessions, by key."""
        return self.fetch_range(None, None, reverse=reverse)

    def _find(self, key: Any, start: int, end: int) -> Session | None:
        return next((session for session in self._near(key, end) if (session.start, session.end) == (start, end)), None)

    def _near(self, key: Any, earliest_end: int) -> list[Session]:
        """What is forgotten is not shown, whether it is freed or not."""
        return self._rows.near(key, max(earliest_end, self._rows.limit() + 1), _LAST_MS)

    def _told(self, sessions: list[Session], *, reverse: bool) -> Iterator[tuple[Windowed[K], V]]:
        for session in sorted(sessions, key=_by_end, reverse=reverse):
            yield session.windowed(), self._access.shown(session.value)


def _by_end(session: Session) -> tuple[int, int]:
    return session.end, session.start
