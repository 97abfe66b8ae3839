"""Other stream libraries of Python, on request: each in a virtual environment of its own, made the first time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from tests.kafka.artifacts import CACHE

OtherName = Literal["Quix Streams", "Faust"]
INSTALL_LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Other:
    """`module` has its programs. `lacks` says of the other workloads why there is none."""

    name: OtherName
    module: str
    requirements: tuple[str, ...]
    lacks: Mapping[str, str]

    def python(self) -> str:
        """The Python of its environment, with everything installed; RuntimeError when that could not be done."""
        digest = sha256(" ".join(self.requirements).encode()).hexdigest()[:12]
        folder = CACHE / f"{self.module}-{digest}"
        python, made = folder / "bin" / "python", folder / "installed"
        if not made.exists():
            print(f"Installing {self.name} into {folder}", flush=True)
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.requirements])
            made.touch()
        return str(python)

    def command(self, arguments: list[str]) -> list[str]:
        return [self.python(), "-m", f"benchmarks.{self.module}", *arguments]


_NO_SELF_JOIN = "joins no topic with itself"
_NO_GLOBAL_TABLE = "no global table"
_NO_JOIN, _NO_SESSIONS = "no join", "no session windows"

OTHERS: Mapping[str, Other] = {
    "quix": Other(
        "Quix Streams",
        "quix_streams",
        ("quixstreams==3.28.1",),
        {"W4": _NO_SELF_JOIN, "W5": _NO_GLOBAL_TABLE},
    ),
    "faust": Other(
        "Faust",
        "faust_streaming",
        ("faust-streaming[uvloop]==0.15.3", "aiokafka[lz4]==0.14.0", "orjson==3.13.0"),
        {"W3": _NO_JOIN, "W4": _NO_JOIN, "W5": _NO_JOIN, "W8": _NO_SESSIONS},
    ),
}


def named(names: str | None) -> list[Other]:
    """The libraries of a list such as "quix,faust".

    >>> [other.name for other in named("faust,quix")]
    ['Faust', 'Quix Streams']
    """
    wanted = names.split(",") if names else []
    if unknown := sorted(set(wanted) - set(OTHERS)):
        raise ValueError(f"there is no library {unknown[0]}; there are: {', '.join(OTHERS)}")
    return [OTHERS[name] for name in wanted]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed: {' '.join(command[1:])}\n{done.stderr[-2000:]}")
