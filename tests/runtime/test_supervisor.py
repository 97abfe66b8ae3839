"""Worker processes under one parent, with small programs in the place of workers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.client.until import until

from millstream.runtime import restarts
from millstream.runtime.clock import SystemClock
from millstream.runtime.restarts import HEALTHY_MS, Record, restart_ms
from millstream.runtime.supervisor import Supervisor

WAITS = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up', flush=True); signal.pause()"
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
ORPHAN = "import sys; print('up', flush=True); sys.stdin.read(); open(sys.argv[1], 'w').close()"


class Parent:
    """A supervisor in a thread."""

    def __init__(self, *programs: str, limit_ms: int = 5_000) -> None:
        self.stop = threading.Event()
        self.status: int | None = None
        self._supervisor = Supervisor(
            lambda number: [sys.executable, "-c", programs[number - 1]], len(programs), SystemClock(), prefixed=True
        )
        self._limit_ms = limit_ms
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.status = self._supervisor.run(self.stop, self._limit_ms)

    def ended(self) -> int | None:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.status


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(restarts, "FIRST_MS", 20)


def test_lines_come_out_with_their_workers_number_and_all_stop_when_told(capfd):
    parent = Parent(WAITS, WAITS)
    said = ""

    def both_up() -> bool:
        nonlocal said
        said += capfd.readouterr().out
        return "[1] up" in said and "[2] up" in said

    until(both_up)
    parent.stop.set()
    assert parent.ended() == 0


def test_a_killed_worker_is_started_again_and_the_other_never_ends(capfd, caplog):
    caplog.set_level("INFO", "millstream.workers")
    parent = Parent(WAITS, WAITS)
    until(lambda: "worker 2: process" in caplog.text)
    pids = [int(pid) for pid in re.findall(r"process (\d+)", caplog.text)]
    os.kill(pids[0], signal.SIGKILL)
    until(lambda: len(re.findall(r"worker 1: process", caplog.text)) == 2)
    assert "worker 1 has ended with signal 9; it is started again" in caplog.text
    assert len(re.findall(r"worker 2: process", caplog.text)) == 1
    up = [""]

    def all_up() -> bool:
        up[0] += capfd.readouterr().out
        return up[0].count("[1] up") >= 1

    until(all_up)
    parent.stop.set()
    parent.ended()


def test_a_worker_that_keeps_failing_is_left_out_and_the_status_tells(caplog):
    parent = Parent("raise SystemExit(1)")
    assert parent.ended() == 1, "nobody is left"
    assert "is not started again" in caplog.text
    assert caplog.text.count("it is started again") == restarts.MOST_FAILURES - 1


def test_what_the_user_must_mend_is_not_tried_again(caplog):
    parent = Parent("raise SystemExit(2)", "raise SystemExit(2)")
    assert parent.ended() == 2
    assert "it is started again" not in caplog.text


def test_one_worker_may_stop_them_all():  # X18
    assert Parent(WAITS, "raise SystemExit(3)").ended() == 3


def test_a_worker_that_is_stopped_while_it_still_starts_has_not_failed(capfd):
    parent = Parent("import time; print('up', flush=True); time.sleep(60)")
    until(lambda: "up" in capfd.readouterr().out)
    parent.stop.set()
    assert parent.ended() == 0


def test_a_worker_that_does_not_stop_is_killed(capfd, caplog):
    parent = Parent(DEAF, limit_ms=300)
    until(lambda: "up" in capfd.readouterr().out)
    parent.stop.set()
    assert parent.ended() == 1
    assert "did not stop within 300 ms" in caplog.text


def test_workers_notice_that_their_parent_was_killed(tmp_path: Path):
    noticed = tmp_path / "noticed"
    program = f"""
import sys, threading
from millstream.runtime.clock import SystemClock
from millstream.runtime.supervisor import Supervisor
worker = [sys.executable, "-c", {ORPHAN!r}, {str(noticed)!r}]
Supervisor(lambda number: worker, 1, SystemClock(), prefixed=False).run(threading.Event(), 1000)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.kill()
    until(noticed.exists)


def test_a_worker_that_was_up_for_long_is_quickly_back():
    record = Record(failures=5).started(0).ended(HEALTHY_MS)
    assert (record.failures, record.lived) == (1, True)
    assert restart_ms(record, status=2) == restarts.FIRST_MS, "its broker may be away: the program was right before"
