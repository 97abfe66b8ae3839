"""The transactional id of a worker: its own while it lives, and its successor's on this machine after (rule X5)."""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path

from millstream.config import Settings


class Identity:
    """`<application>-<process id>-<number>`, with a process id that this machine keeps and a number of its own.

    A worker that was killed leaves a transaction open, which holds up all that read what it wrote until the broker
    aborts it. The next worker with the same id ends it at once. So the numbers of those that live are locked, and the
    smallest free one is taken; the lock goes with the process, however that ends. Static members have their own name.
    """

    def __init__(self, settings: Settings) -> None:
        self._fd: int | None = None
        if settings.group_instance_id is not None:
            self.transactional_id = f"{settings.application_id}-{settings.group_instance_id}-0"
            return
        folder = settings.state_dir / "workers" / settings.application_id
        folder.mkdir(parents=True, exist_ok=True)
        number = 0
        while (fd := _locked(folder / str(number))) is None:
            number += 1
        self._fd = fd
        process_id = os.read(fd, 100).decode() or str(uuid.uuid4())
        os.pwrite(fd, process_id.encode(), 0)
        self.transactional_id = f"{settings.application_id}-{process_id}-{number}"

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _locked(path: Path) -> int | None:
    """The open file, locked; None while another has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd
