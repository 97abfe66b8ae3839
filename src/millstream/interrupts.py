"""Ctrl-C while the command line is still being imported, before anything of it could take notice.

Being imported is what it does: that comes first, and the rest takes a second.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

INTERRUPTED = 130


def end_quietly(argv0: str) -> None:
    """See to it that an interrupt which nobody takes ends the process without a traceback, if it is our command line.

    Of `python -m millstream` the arguments begin with "-m" while the package is imported.
    """
    if Path(argv0).stem not in ("millstream", "-m"):
        return
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            os._exit(INTERRUPTED)
        before(kind, error, trace)

    sys.excepthook = hook


end_quietly(sys.argv[0] if sys.argv else "")
