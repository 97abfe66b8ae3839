"""One client's connection: frames in, answers out, in the order of the requests.

Like Kafka, the broker works on one request of a connection at a time; a fetch that waits holds up only its own
connection. Bytes are received straight into a buffer, and a frame larger than it into a buffer of its own.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from millstream.broker.protocol.codec import Request, UnreadableRequestError, read_request, write_answer
from millstream.broker.security.login import Login
from millstream.broker.settings import BrokerSettings

_FIRST_BYTES = 4 * 1024  # many connections never need more
_BUFFER_BYTES = 256 * 1024

_log = logging.getLogger(__name__)

Handle = Callable[[Request, "Connection", Callable[[Any], None]], None]


class Company(Protocol):
    """What a connection tells those who look after all of them."""

    def opened(self, connection: Connection) -> bool:
        """It is there; the answer is whether there is room for it."""

    def closed(self, connection: Connection) -> None:
        """It is gone."""

    def slow(self, connection: Connection) -> None:
        """Its client takes answers more slowly than they are given."""

    def quick(self, connection: Connection) -> None:
        """It has taken them."""


class Connection(asyncio.BufferedProtocol):
    """`handle` is given each request in turn and calls back with its answer, at once or later.

    `login` is what a client has to go through first.
    """

    def __init__(
        self,
        handle: Handle,
        settings: BrokerSettings,
        company: Company,
        login: Login | None = None,
    ) -> None:
        self._handle = handle
        self._settings = settings
        self.login = login
        self._company = company
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(_FIRST_BYTES)
        self._start = 0
        self._end = 0
        self._queue: deque[bytes] = deque()
        self._busy = False
        self._writable = True
        self._paused = False
        self._queued_bytes = 0
        self._gone: Callable[[], None] | None = None
        self.idle_since_ms: float | None = None
        """Since when (monotonic) it keeps the broker waiting; None while the broker is at work for it."""
        self.peer_host = ""
        self.local_address = ("", 0)

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.peer_host = transport.get_extra_info("peername")[0]
        self.local_address = transport.get_extra_info("sockname")[:2]
        self.idle_since_ms = _now_ms()
        if not self._company.opened(self):
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._queue.clear()
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()
        self._company.closed(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._buffer) > _BUFFER_BYTES:
                self._buffer = bytearray(_BUFFER_BYTES)
        elif self._end == len(self._buffer):
            self._make_room()
        return memoryview(self._buffer)[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        self._end += nbytes
        self._take_frames()

    def pause_writing(self) -> None:
        self._writable = False
        self._company.slow(self)
        self.idle_since_ms = _now_ms()

    def resume_writing(self) -> None:
        self._writable = True
        self._company.quick(self)
        self.idle_since_ms = None if self._busy else _now_ms()
        self._go_on()

    # --- frames

    @property
    def untaken_bytes(self) -> int:
        """Of answers, that the client has yet to take."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def on_gone(self, action: Callable[[], None]) -> None:
        """What is to happen if the client goes before the request in work is answered."""
        self._gone = action

    def finish(self) -> None:
        """Close the connection behind the answers that are on their way."""
        self._queue.clear()
        if self._transport is not None:
            self._transport.close()

    def close(self) -> None:
        """Drop the connection; answers that are still to come go nowhere."""
        if self._transport is not None:
            self._transport.abort()

    def _make_room(self) -> None:
        """The buffer is full and begins with an incomplete frame: move it to the front of one that has room.

        The room grows with what has come, not with what was announced.
        """
        rest = self._end - self._start
        size = _BUFFER_BYTES
        if rest >= 4:
            announced = 4 + int.from_bytes(self._buffer[self._start : self._start + 4], "big")
            size = max(size, min(announced, 4 * rest))
        fresh = bytearray(size)
        fresh[:rest] = memoryview(self._buffer)[self._start : self._end]
        self._buffer, self._start, self._end = fresh, 0, rest

    def _take_frames(self) -> None:
        view = memoryview(self._buffer).toreadonly()
        while self._end - self._start >= 4:
            size = int.from_bytes(view[self._start : self._start + 4], "big", signed=True)
            if not 0 < size <= self._largest():
                self._give_up(f"a request of {size} bytes was announced")
                return
            begin, end = self._start + 4, self._start + 4 + size
            if end > self._end:
                break
            self._start = end
            if self._busy or not self._writable or self._queue:
                self._queue.append(bytes(view[begin:end]))
                self._queued_bytes += size
            else:
                self._answer(view[begin:end])
            if self._transport is None:
                return
        full = len(self._queue) > self._settings.queued_requests or self._queued_bytes > self._settings.queued_bytes
        if full and not self._paused:
            self._pause()

    def _largest(self) -> int:
        """How large a request may be: those that log in are small, and others are not looked at before."""
        settings, login = self._settings, self.login
        if login is None or login.done:
            return settings.request_bytes
        return min(settings.login_bytes, settings.request_bytes)

    def _pause(self) -> None:
        """The client sends faster than it is answered: let it wait until its queue is empty."""
        if self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        while self._queue and not self._busy and self._writable and self._transport is not None:
            frame = self._queue.popleft()
            self._queued_bytes -= len(frame)
            self._answer(frame)
        if self._paused and not self._queue and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _answer(self, frame: bytes | memoryview) -> None:
        try:
            request = read_request(frame)
        except UnreadableRequestError as error:
            self._give_up(str(error))
            return
        self._busy = True
        self.idle_since_ms = None
        at_once = True

        def reply(answer: Any) -> None:
            self._busy = False
            self._gone = None
            if self._transport is None:
                return
            self.idle_since_ms = _now_ms()
            if answer is not None:
                self._transport.writelines(write_answer(request, answer))
            if not at_once:
                self._go_on()

        try:
            self._handle(request, self, reply)
        except Exception:
            _log.exception("API key %d version %d failed", request.api_key, request.version)
            self.close()
        at_once = False

    def _give_up(self, reason: str) -> None:
        _log.warning("connection from %s closed: %s", self.peer_host, reason)
        self._queue.clear()
        self.close()
        self._transport = None


def _now_ms() -> float:
    return time.monotonic() * 1000
