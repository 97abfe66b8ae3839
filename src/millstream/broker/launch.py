"""The broker as a process of its own: started when it is first needed, shared by the programs of a folder.

Each program holds a shared lock on the folder's `users` file, taken before it connects or starts the broker; the broker
stops once it gets that lock for itself. So it lives as long as its last user, also if that one is killed. It has a
session of its own: Ctrl-C in a terminal ends the program, and leaves the broker there for the program's last commit.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from millstream.errors import BrokerStartError

START_TIMEOUT_S = 120.0  # large logs are read anew after the machine was started; one that ends is noticed at once
ANSWER_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
_READY = "millstream broker ready on "
_POLL_S = 0.01


class EmbeddedBroker:
    """A running broker and this program's hold on it; a context manager.

    `shared(folder)` joins or starts the broker of a folder, `private(data)` starts one for this object alone.

        with EmbeddedBroker.shared(Path(".millstream")) as broker:
            producer = Producer({"bootstrap.servers": broker.bootstrap})
    """

    def __init__(self, home: Path, data: Path | None, *, shared: bool) -> None:
        self._home = home
        self._data = data
        self._shared = shared
        self._users_fd = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""

    @classmethod
    def shared(cls, folder: Path, *, memory: bool = False) -> EmbeddedBroker:
        """The broker that all programs with the same `folder` (such as `.millstream`) share; started if none runs.

        With `memory` it is another broker, that keeps nothing on disk. Raises BrokerStartError.
        """
        home = folder / "memory" if memory else folder
        broker = cls(home, None if memory else folder / "data", shared=True)
        try:
            _make_folder(home)
            broker._users_fd = _lock_shared(home / "users")
            broker._ensure()
        except BaseException:
            broker.stop()
            raise
        return broker

    @classmethod
    def private(cls, data: Path | None = None) -> EmbeddedBroker:
        """A broker for this object alone, on a free port; `data` None keeps everything in memory. For tests.

        It ends with `stop`, and at the latest with this process. Raises BrokerStartError.
        """
        broker = cls(Path(tempfile.mkdtemp(prefix="millstream-broker-")), data, shared=False)
        try:
            broker._users_fd = _lock_shared(broker._home / "users")
            broker._start(0)
        except BaseException:
            broker.stop()
            raise
        return broker

    @property
    def bootstrap(self) -> str:
        """HOST:PORT for a client's `bootstrap.servers`. A shared broker that died is started again first."""
        if self._shared:
            self._ensure()
        return self._address

    def kill(self) -> None:
        """End this object's own process as `kill -9` does; nothing that was acknowledged may be lost by it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT_S)

    def restart(self) -> None:
        """Start it again, on the same port and data. Raises BrokerStartError."""
        self._terminate()
        self._start(int(self._address.rpartition(":")[2]))

    def stop(self) -> None:
        """Let go of the broker; a private one ends, a shared one if nobody else uses it. May be called twice."""
        if not self._shared:
            self._terminate()
        if self._users_fd >= 0:
            os.close(self._users_fd)
            self._users_fd = -1
            if self._shared:
                self._part()
        if not self._shared:
            shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> EmbeddedBroker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ensure(self) -> None:
        """Make sure that the folder's broker answers; programs that start at the same time agree on one."""
        with _exclusive(self._home / "start"):
            if self._found():
                return
            last = _read_address(self._home / "address")
            if self._process is not None:
                self._terminate()
            port = int(last.rpartition(":")[2]) if last else 0
            try:
                self._start(port)
            except BrokerStartError:
                if port == 0 or _port_free(port):
                    raise
                self._start(0)

    def _found(self) -> bool:
        """Whether a broker runs and answers. One that is busy, or goes down just now, is waited for."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while _is_locked(self._home / "running"):
            last = _read_address(self._home / "address")
            if last and _answers(last):
                self._address = last
                return True
            if time.monotonic() > deadline:
                if self._process is not None:
                    return False
                log = self._home / "broker.log"
                raise BrokerStartError(f"The embedded broker of {self._home} runs and does not answer (its log: {log})")
            time.sleep(_POLL_S)
        return False

    def _start(self, port: int) -> None:
        # -P: a module in the user's folder must not be taken for one of the standard library.
        command = [sys.executable, "-P", "-m", "millstream.broker", "--listen", f"127.0.0.1:{port}"]
        command += ["--users", str(self._home / "users")]
        command += ["--memory"] if self._data is None else ["--data", str(self._data)]
        log = self._home / "broker.log"
        with log.open("ab") as errors:
            before = errors.tell()
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
        line = _first_line(self._process)
        if not line.startswith(_READY):
            self._terminate()
            said = log.read_bytes()[before:].decode(errors="replace").strip().splitlines()
            reason = said[-1].removeprefix("error: ") if said else f"it was not ready after {START_TIMEOUT_S:g} s"
            raise BrokerStartError(f"The embedded broker did not start: {reason} (its log: {log})")
        self._address = line.removeprefix(_READY).split()[0]

    def _terminate(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    def _part(self) -> None:
        """If this program started the broker and was its last user, see it end; else leave it to the others."""
        process, self._process = self._process, None
        if process is None:
            return
        if not _is_locked(self._home / "users"):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
        if process.returncode is None:
            # The broker outlives this program; Popen would otherwise warn that nobody waited for it.
            process.returncode = 0


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"The folder {folder} cannot be made for the embedded broker: {error.strerror or error}."
        raise BrokerStartError(text) from error


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BrokerStartError(f"{path} cannot be opened: {error.strerror or error}.") from error


def _lock(fd: int, kind: int, path: Path) -> None:
    """Take a lock, waiting as long as a broker may need to start or stop."""
    deadline = time.monotonic() + START_TIMEOUT_S + STOP_TIMEOUT_S
    while True:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise BrokerStartError(f"{path} stays locked: a broker that starts or stops there hangs.") from error
            time.sleep(_POLL_S)


def _lock_shared(path: Path) -> int:
    """Hold `path` as one of its users; waits while a broker that has no users any more goes down."""
    fd = _open(path)
    try:
        _lock(fd, fcntl.LOCK_SH, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    fd = _open(path)
    try:
        _lock(fd, fcntl.LOCK_EX, path)
        yield
    finally:
        os.close(fd)


def _is_locked(path: Path) -> bool:
    """Whether anybody holds a lock on `path`. Asked where nobody else may be about to take it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _read_address(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _answers(address: str) -> bool:
    """Whether a Kafka broker is at the address: it answers an ApiVersions request."""
    host, _, port = address.rpartition(":")
    request = bytes.fromhex("0000000a0012000000000001ffff")
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(request)
            return connection.recv(8)[4:] == b"\0\0\0\1"
    except (OSError, ValueError):
        return False


def _port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _first_line(process: subprocess.Popen[bytes]) -> str:
    """The process's first line, or what there is of it when it ends or the time is over. Closes its standard output."""
    assert process.stdout is not None
    deadline = time.monotonic() + START_TIMEOUT_S
    received = b""
    with process.stdout as pipe:
        while b"\n" not in received:
            readable, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(pipe.fileno(), 4096) if readable else b""
            if not part:
                break
            received += part
    return received.decode(errors="replace").partition("\n")[0]
