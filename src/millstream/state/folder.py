"""The folder of one task's stores: locked by who uses it, set aside rather than deleted."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class TaskFolder:
    """`<state folder>/stores/<application>/<task>`: a database, and a lock that a process holds until it releases it.

    The lock goes with the process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_fd: int | None = None

    @property
    def database(self) -> Path:
        return self.path / "db"

    def lock(self) -> bool:
        """Whether the folder is this object's; False while another has it."""
        if self._lock_fd is None:
            self.path.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            except BaseException:
                os.close(fd)
                raise
            self._lock_fd = fd
        return True

    def set_aside(self) -> Path:
        """Rename the database, so that a new one can begin; gives where it is now."""
        number = 1
        while (aside := self.path / f"db.aside-{number}").exists():
            number += 1
        self.database.rename(aside)
        return aside

    def release(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None
