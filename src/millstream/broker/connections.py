"""The open connections: how many there may be, who has to log in, and which have been idle for too long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from millstream.broker.connection import Connection, Handle
from millstream.broker.security.login import Login
from millstream.broker.settings import BrokerSettings

_log = logging.getLogger(__name__)

_SILENCE_S = 10.0
"""So often at the most is it told that connections are refused."""


class Connections:
    """Makes each connection's protocol, and closes those that should not be there."""

    def __init__(self, handle: Handle, settings: BrokerSettings, new_login: Callable[[], Login | None]) -> None:
        self._handle = handle
        self._settings = settings
        self._new_login = new_login
        self._open: set[Connection] = set()
        self._slow: set[Connection] = set()
        self._refused = 0
        self._told_at = -_SILENCE_S

    def __len__(self) -> int:
        return len(self._open)

    def make(self) -> Connection:
        return Connection(self._handle, self._settings, self, self._new_login())

    def close(self) -> None:
        for connection in list(self._open):
            connection.close()

    def close_idle(self, now_ms: float) -> None:
        """Close those that have kept the broker waiting for longer than they may."""
        for connection in list(self._open):
            waiting = connection.login is not None and not connection.login.done
            limit_ms = self._settings.login_ms if waiting else self._settings.idle_ms
            if connection.idle_since_ms is not None and now_ms - connection.idle_since_ms > limit_ms:
                _log.info("connection from %s closed: idle for %d ms", connection.peer_host, limit_ms)
                connection.close()

    def answer_room(self) -> int:
        """How many bytes of answers may be added to those that clients have yet to take."""
        return max(self._settings.answer_bytes - sum(each.untaken_bytes for each in self._slow), 0)

    def slow(self, connection: Connection) -> None:
        self._slow.add(connection)

    def quick(self, connection: Connection) -> None:
        self._slow.discard(connection)

    def closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._slow.discard(connection)

    def opened(self, connection: Connection) -> bool:
        """Whether there is room for it."""
        if len(self._open) < self._settings.connections:
            self._open.add(connection)
            return True
        self._refused += 1
        if time.monotonic() - self._told_at >= _SILENCE_S:
            _log.warning("%d connections refused: %d are open", self._refused, len(self._open))
            self._told_at, self._refused = time.monotonic(), 0
        return False
