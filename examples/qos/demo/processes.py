"""Child processes: started in fresh interpreters, heard line by line, stopped by letting go of them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec

from millstream.errors import ConfigError, MillstreamError

STOP_S: Final = 15.0
PACKAGE: Final = __package__ or ""
FOLDER: Final = Path(__file__).resolve().parents[PACKAGE.count(".") + 1]


class Child:
    """A module of this package as a process. Ctrl-C in the terminal doesn't reach it: its parent decides.

    Raises from `lines` what the child says went wrong, or MillstreamError if it ended without a word.
    """

    def __init__(self, module: str, argument: Any) -> None:
        self.module = module
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        path = os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.{module}", msgspec.json.encode(argument).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._rest = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, line: Any) -> None:
        """One line for the child."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(line) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._ended()

    def lines(self) -> list[dict[str, Any]]:
        """What the child has said since the last call."""
        assert self._process.stdout is not None
        ended = self._process.poll() is not None
        data = self._rest + (self._process.stdout.read() or b"")
        *whole, self._rest = data.split(b"\n")
        said = [msgspec.json.decode(line) for line in whole]
        for line in said:
            if "error" in line:
                raise ConfigError(line["error"]) if line["status"] == 2 else MillstreamError(line["error"])
        if ended and self._process.returncode != 0:
            self._ended()
        return said

    def let_go(self) -> None:
        """Ask the child to stop; `stop` waits for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def stop(self) -> None:
        """Let go, and wait for the end; kill a child that takes too long."""
        self.let_go()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ended(self) -> None:
        status = self._process.wait(STOP_S)
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        raise MillstreamError(
            f"the {self.module} process ended with status {status}: {said[-1] if said else 'silently'}"
        )
