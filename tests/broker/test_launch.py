"""The broker as a process: shared by a folder's programs, started again when it died, gone with its last user."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from millstream.broker import EmbeddedBroker
from millstream.broker.__main__ import main
from millstream.errors import BrokerStartError
from tests.broker.conftest import PATIENCE_S


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def wait_gone(address: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while listens(address):
        assert time.monotonic() < deadline, f"something still listens on {address}"


def test_programs_of_a_folder_share_one(tmp_path: Path) -> None:
    first = EmbeddedBroker.shared(tmp_path)
    second = EmbeddedBroker.shared(tmp_path)
    address = first.bootstrap
    assert second.bootstrap == address
    first.stop()
    assert listens(address)
    second.stop()
    wait_gone(address)
    with EmbeddedBroker.shared(tmp_path) as third:
        assert third.bootstrap == address, "clients that are still there find it again"
    wait_gone(address)


def test_one_that_died_is_started_again_where_it_was(tmp_path: Path) -> None:
    with EmbeddedBroker.shared(tmp_path) as first, EmbeddedBroker.shared(tmp_path) as second:
        address = first.bootstrap
        first.kill()
        assert not listens(address)
        assert second.bootstrap == address
        assert listens(address)
    wait_gone(address)


USER = """
import os, sys
from pathlib import Path
from millstream.broker import EmbeddedBroker
broker = EmbeddedBroker.shared(Path(sys.argv[1]))
print(broker.bootstrap, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""


def test_programs_that_start_together_agree_and_it_goes_when_they_are_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", USER, str(tmp_path)]
    with contextlib.ExitStack() as stack:
        users = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(3)
        ]
        addresses = {user.stdout.readline().strip() for user in users if user.stdout is not None}
        assert len(addresses) == 1
        address = addresses.pop()
        for user in users:
            assert listens(address)
            user.communicate("\n", timeout=PATIENCE_S)
            assert user.returncode == -9
    wait_gone(address)


def test_one_that_is_busy_is_waited_for(tmp_path: Path) -> None:
    with EmbeddedBroker.shared(tmp_path) as first:
        address = first.bootstrap
        process = first._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        later = threading.Timer(2.5, process.send_signal, (signal.SIGCONT,))  # longer than one try takes
        later.start()
        with EmbeddedBroker.shared(tmp_path) as second:
            assert second.bootstrap == address
        assert first._process is process, "nobody ended it"
        later.join()


def test_one_that_goes_down_is_waited_for(tmp_path: Path) -> None:
    with EmbeddedBroker.shared(tmp_path) as first, (tmp_path / "running").open() as going:
        address = first.bootstrap
        first.kill()
        fcntl.flock(going, fcntl.LOCK_EX)  # as a broker does that has left its port, and closes its files
        later = threading.Timer(0.3, fcntl.flock, (going, fcntl.LOCK_UN))
        later.start()
        assert first.bootstrap == address
        assert first._process is not None
        later.join()


def test_a_broker_of_another_folder_on_the_remembered_port_is_not_taken(tmp_path: Path, broker: EmbeddedBroker) -> None:
    (tmp_path / "address").write_text(broker.bootstrap)
    with EmbeddedBroker.shared(tmp_path) as own:
        assert own.bootstrap != broker.bootstrap


def test_memory_and_data_are_two_brokers(tmp_path: Path) -> None:
    with EmbeddedBroker.shared(tmp_path) as durable, EmbeddedBroker.shared(tmp_path, memory=True) as memory:
        assert durable.bootstrap != memory.bootstrap


def run_broker(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "millstream.broker", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_a_port_in_use_is_one_clear_line(broker: EmbeddedBroker) -> None:
    done = run_broker("--listen", broker.bootstrap, "--memory")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "is in use" in done.stderr


def test_a_data_folder_belongs_to_one_broker(tmp_path: Path) -> None:
    with EmbeddedBroker.private(tmp_path), pytest.raises(BrokerStartError, match="Another broker runs on the folder"):
        EmbeddedBroker.private(tmp_path)


def test_a_folder_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = run_broker("--listen", "127.0.0.1:0", "--data", str(file))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(BrokerStartError, match="cannot be made"):
        EmbeddedBroker.shared(file)


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert main(["--listen", address, "--memory"]) == 2
