"""The name of a state folder, by which workers know that they share one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def home_of(state_dir: Path, application_id: str) -> str:
    """The folder's name, which it keeps: of workers that come first at once, one gives it."""
    folder = state_dir / "workers" / application_id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "home"
    if not path.exists():
        mine = folder / f"home-{os.getpid()}"
        mine.write_text(str(uuid.uuid4()))
        try:
            os.link(mine, path)
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    return path.read_text()
