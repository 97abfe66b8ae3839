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


def call_site(operator: str) -> CallSite:
    """The nearest caller outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    try:
        shown = path.relative_to(Path.cwd())
    except ValueError:
        shown = path
    return CallSite(operator, str(shown), frame.f_lineno)
