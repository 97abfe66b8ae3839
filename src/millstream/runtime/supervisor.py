"""Worker processes under one parent: started, watched, started again, stopped."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO

from millstream.runtime.clock import Clock
from millstream.runtime.restarts import STOP_ALL, Record, restart_ms

LOG = logging.getLogger("millstream.workers")

LOOK_S = 0.05
KILLED_LIMIT_S = 10


@dataclass(slots=True)
class Child:
    """One worker's place: its process while there is one, and when the next is to be started."""

    number: int
    record: Record = field(default_factory=Record)
    process: subprocess.Popen[bytes] | None = None
    start_at_ms: float | None = 0.0  # None: not any more
    status: int = 0
    readers: list[threading.Thread] = field(default_factory=list)


class Supervisor:
    """Keeps `count` workers running, each a fresh interpreter with the command of its number.

    A worker that ends is started again, later each time; one that keeps failing is left out, and the others go on. A
    worker's lines come out with its number before them. Each has a session of its own, so that Ctrl-C reaches the
    parent alone, and an open standard input, which ends with the parent, however that ends: a worker that sees it end
    stops too.
    """

    def __init__(self, command: Callable[[int], Sequence[str]], count: int, clock: Clock, *, prefixed: bool) -> None:
        self._command = command
        self._clock = clock
        self._prefixed = prefixed
        self._children = [Child(number) for number in range(1, count + 1)]
        self._lock = threading.Lock()

    def run(self, stop: threading.Event, stop_limit_ms: int) -> int:
        """Until `stop` is set, or no worker is left; returns the exit status: 0 when all ended as they were told."""
        try:
            while not stop.is_set() and any(child.start_at_ms is not None for child in self._children):
                for child in self._children:
                    self._look_after(child)
                    if child.status == STOP_ALL:
                        stop.set()
                stop.wait(LOOK_S)
            self._stop(stop_limit_ms)
        finally:
            for child in self._children:
                if child.process is not None:
                    child.process.kill()
        return max(1 if child.status < 0 else child.status for child in self._children)

    def _look_after(self, child: Child) -> None:
        now_ms = self._clock.monotonic_ms()
        if child.process is None:
            if child.start_at_ms is not None and now_ms >= child.start_at_ms:
                self._start(child, now_ms)
        elif (status := child.process.poll()) is not None:
            self._part(child, status)
            child.record = child.record.ended(now_ms)
            wait_ms = restart_ms(child.record, status)
            child.start_at_ms = None if wait_ms is None else now_ms + wait_ms
            if wait_ms is None:
                LOG.error("worker %d has ended with %s, and is not started again", child.number, _told(status))
            else:
                again = f"it is started again in {wait_ms / 1000:g} s"
                LOG.warning("worker %d has ended with %s; %s", child.number, _told(status), again)

    def _start(self, child: Child, now_ms: float) -> None:
        child.record = child.record.started(now_ms)
        child.process = subprocess.Popen(
            self._command(child.number),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        LOG.info("worker %d: process %d", child.number, child.process.pid)
        for source, into in ((child.process.stdout, sys.stdout), (child.process.stderr, sys.stderr)):
            assert source is not None
            reader = threading.Thread(target=self._pass_on, args=(child.number, source, into), daemon=True)
            reader.start()
            child.readers.append(reader)

    def _pass_on(self, number: int, source: IO[bytes], into: IO[str]) -> None:
        before = f"[{number}] " if self._prefixed else ""
        with source:
            for line in source:
                with self._lock:
                    into.write(before + line.decode(errors="replace").rstrip("\n") + "\n")
                    into.flush()

    def _stop(self, limit_ms: int) -> None:
        running = [child for child in self._children if child.process is not None]
        for child in running:
            assert child.process is not None
            child.process.terminate()
        until_ms = self._clock.monotonic_ms() + limit_ms
        for child in running:
            assert child.process is not None
            try:
                status = child.process.wait(max(0.0, until_ms - self._clock.monotonic_ms()) / 1000)
            except subprocess.TimeoutExpired:
                LOG.error("worker %d did not stop within %d ms, and is killed", child.number, limit_ms)
                child.process.kill()
                status = child.process.wait(KILLED_LIMIT_S)
            # One that was told before it listened to signals has done nothing yet.
            self._part(child, 0 if status == -signal.SIGTERM else status)

    def _part(self, child: Child, status: int) -> None:
        """Its process has ended: let what it still said come out."""
        assert child.process is not None
        assert child.process.stdin is not None
        child.process.stdin.close()
        for reader in child.readers:
            reader.join(KILLED_LIMIT_S)
        child.readers.clear()
        child.process, child.status = None, status


def _told(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
