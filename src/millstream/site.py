"""Where in the user's program an operator stands, for messages that point there."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGE = str(Path(__file__).resolve().parent) + os.sep


@dataclass(frozen=True, slots=True)
class CallSite:
    """A line of the user's file and the operator called there."""

    operator: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.operator} at {self.file}:{self.line}"


def call_site(operator: str | None = None) -> CallSite:
    """The nearest caller outside of this package; without a name, the operator is the method that it called."""
    frame = sys._getframe(1)
    called = ""
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        called = frame.f_code.co_name
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    try:
        shown = path.relative_to(Path.cwd())
    except ValueError:
        shown = path
    return CallSite(operator or called, str(shown), frame.f_lineno)
