"""The server: asyncio around the broker's core. It listens, keeps time, and stops cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import gc
import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millstream.broker.broker import BY_SYSTEM, Broker, Call
from millstream.broker.connection import Connection
from millstream.broker.connections import Connections
from millstream.broker.dispatch import HANDLERS
from millstream.broker.durability import Fsync, sync_handles
from millstream.broker.protocol.apis import API_VERSIONS
from millstream.broker.protocol.codec import Request
from millstream.broker.security.accounts import Accounts
from millstream.broker.security.login import Login
from millstream.broker.security.mechanisms import MECHANISMS
from millstream.broker.security.tls import Tls
from millstream.broker.settings import DEFAULTS, BrokerSettings
from millstream.broker.upkeep import INTERVAL_MS, keep_up
from millstream.errors import BrokerStartError

_USERS_CHECK_S = 0.2
_SLICE_S = 0.002
_REFUSAL_DELAY_S = 0.1

_log = logging.getLogger(__name__)
RUNNING, ADDRESS = "running", "address"


@dataclass(frozen=True, slots=True)
class Security:
    """Who may come in: with `tls` connections are encrypted, with `accounts` clients log in by one of `mechanisms`."""

    tls: Tls | None = None
    accounts: Accounts | None = None
    mechanisms: tuple[str, ...] = tuple(MECHANISMS)


OPEN = Security()


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen (port 0 takes a free one) and where the data is (`None`: in memory).

    `users` names a file on which every program that uses this broker holds a shared lock: the broker stops when nobody
    does. Without it the broker runs until it is told to stop. While it runs it holds a lock on `running` beside that
    file, so that its programs can tell it from another broker that got its port, and writes its own into `address`.
    """

    host: str = "127.0.0.1"
    port: int = 9092
    data: Path | None = None
    users: Path | None = None
    broker: BrokerSettings = DEFAULTS
    security: Security = OPEN
    fsync: Fsync = BY_SYSTEM


def serve(settings: ServerSettings, ready: Callable[[str], None]) -> None:
    """Run a broker until SIGTERM or SIGINT; `ready` is called with HOST:PORT when it can be used.

    Raises BrokerStartError if the port is in use, or the data folder is not readable or belongs to a running broker.
    """
    running = settings.users.with_name(RUNNING) if settings.users else None
    with _locked(settings.data and settings.data / "lock"), _locked(running):
        try:
            broker = Broker(
                settings.data, uuid.uuid4, _wall_ms, _now_ms(), fsync=settings.fsync, settings=settings.broker
            )
        except (OSError, ValueError) as error:
            raise BrokerStartError(f"The data folder {settings.data} cannot be used: {error}") from error
        gc.freeze()  # what start-up made stays for good: collections need not look through it again
        try:
            asyncio.run(_Server(broker, settings).run(ready))
        finally:
            broker.close()


class _Server:
    def __init__(self, broker: Broker, settings: ServerSettings) -> None:
        self._broker = broker
        self._settings = settings
        self._connections = Connections(self._handle, settings.broker, self._new_login)
        self._stop = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._upkeep: asyncio.TimerHandle | None = None

    async def run(self, ready: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        settings = self._settings
        try:
            tls = None if settings.security.tls is None else settings.security.tls.context()
            server = await loop.create_server(
                self._connections.make,
                settings.host,
                settings.port,
                backlog=1024,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else settings.broker.login_ms / 1000,
            )
        except ValueError as error:
            raise BrokerStartError(str(error)) from error
        except OSError as error:
            raise BrokerStartError(_listen_problem(settings, error)) from error
        self._set_alarm()
        self._keep_up()
        syncing = loop.create_task(self._sync()) if settings.fsync.interval_ms else None
        host, port = server.sockets[0].getsockname()[:2]
        if settings.users is not None:
            settings.users.with_name(ADDRESS).write_text(f"{host}:{port}")
        ready(f"{host}:{port}")
        with self._watched_users():
            await self._stop.wait()
        server.close()
        self._connections.close()
        await asyncio.sleep(0)
        if syncing is not None:
            syncing.cancel()
        for handle in (self._alarm, self._upkeep):
            if handle is not None:
                handle.cancel()

    def _new_login(self) -> Login | None:
        security = self._settings.security
        return None if security.accounts is None else Login(security.accounts, security.mechanisms, os.urandom)

    async def _sync(self) -> None:
        """What was written goes to the disk once in an interval; the disk is waited for elsewhere."""
        interval_ms = self._settings.fsync.interval_ms
        assert interval_ms is not None
        while True:
            await asyncio.sleep(interval_ms / 1000)
            if handles := self._broker.durability.take_handles():
                await asyncio.to_thread(sync_handles, handles)

    def _handle(self, request: Request, connection: Connection, reply: Callable[[Any], None]) -> None:
        login = connection.login
        if login is not None and not login.done:
            if not login.takes(request):
                _log.warning("connection from %s closed: it sent requests before it logged in", connection.peer_host)
                connection.close()
                return
            if request.api_key != API_VERSIONS:
                self._log_in(login, request, connection, reply)
                return
        host, port = connection.local_address
        who = (request.version, request.client_id, connection.peer_host, host, port)
        call = Call(*who, _wall_ms(), _now_ms(), connection.on_gone, self._connections.answer_room)
        HANDLERS[request.api_key](self._broker, call, request.message, reply)
        self._set_alarm()

    def _log_in(self, login: Login, request: Request, connection: Connection, reply: Callable[[Any], None]) -> None:
        """One step; whoever fails is answered after a while, so that guessing takes its time, and let go."""
        answer = login.answer(request)
        if not login.refused:
            reply(answer)
            return
        _log.warning("login from %s refused: %s", connection.peer_host, login.refused)

        def refuse() -> None:
            reply(answer)
            connection.finish()

        asyncio.get_running_loop().call_later(_REFUSAL_DELAY_S, refuse)

    def _set_alarm(self) -> None:
        """Wake up for the next deadline of the core."""
        deadline = self._broker.timers.next_deadline()
        if self._alarm is not None:
            if deadline is not None and abs(self._alarm.when() * 1000 - deadline) < 1:
                return
            self._alarm.cancel()
            self._alarm = None
        if deadline is not None:
            self._alarm = asyncio.get_running_loop().call_at(deadline / 1000, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._broker.timers.fire(_now_ms())
        self._set_alarm()

    def _keep_up(self, round_: Iterator[None] | None = None) -> None:
        """Rounds of upkeep, each in slices so short that no client notices them."""
        round_ = round_ or keep_up(self._broker, _wall_ms())
        end = time.monotonic() + _SLICE_S
        while time.monotonic() < end:
            try:
                next(round_)
            except StopIteration:
                self._connections.close_idle(_now_ms())
                self._upkeep = asyncio.get_running_loop().call_later(INTERVAL_MS / 1000, self._keep_up)
                return
        self._upkeep = asyncio.get_running_loop().call_later(_SLICE_S, self._keep_up, round_)

    @contextlib.contextmanager
    def _watched_users(self) -> Iterator[None]:
        """Stop as soon as nobody holds the users file; the lock is kept until the process ends, so that nobody who
        comes meanwhile believes the broker alive.
        """
        if self._settings.users is None:
            yield
            return
        fd = os.open(self._settings.users, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        loop = asyncio.get_running_loop()
        handle: asyncio.TimerHandle | None = None

        def check() -> None:
            nonlocal handle
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle = loop.call_later(_USERS_CHECK_S, check)
            else:
                self._stop.set()

        handle = loop.call_later(_USERS_CHECK_S, check)
        try:
            yield
        finally:
            handle.cancel()


def _now_ms() -> float:
    """The event loop's own clock, in milliseconds."""
    return time.monotonic() * 1000


def _wall_ms() -> int:
    """The time of day, as record timestamps tell it."""
    return int(time.time() * 1000)


def _listen_problem(settings: ServerSettings, error: OSError) -> str:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {settings.port} is in use: no broker can listen on {where}. Stop what uses it, or name another port."
        )
    return f"No broker can listen on {where}: {error.strerror or error}."


@contextlib.contextmanager
def _locked(path: Path | None) -> Iterator[None]:
    """Hold a folder's lock file: two brokers on one folder would destroy it."""
    if path is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BrokerStartError(f"The folder {path.parent} cannot be used: {error.strerror or error}.") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = f"Another broker runs on the folder {path.parent}. Use that one, or name another folder."
            raise BrokerStartError(text) from error
        yield
    finally:
        os.close(fd)
