"""How far something is: a count and a rate on standard error, if somebody looks at it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich import progress as rich_progress
from rich.console import Console


class Progress:
    """Told from time to time how many are done."""

    def at(self, done: int) -> None:
        """So many are done; shows nothing where nobody looks."""


class _Shown(Progress):
    def __init__(self, view: rich_progress.Progress, task: rich_progress.TaskID) -> None:
        self._view = view
        self._task = task

    def at(self, done: int) -> None:
        self._view.update(self._task, completed=done)


class _Rate(rich_progress.ProgressColumn):
    def render(self, task: rich_progress.Task) -> str:
        return f"{task.completed:,.0f} ({task.speed or 0:,.0f}/s)"


@contextmanager
def progress(doing: str, total: int | None = None) -> Iterator[Progress]:
    """Shows progress while standard error is a terminal and standard output is not what is looked at."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    columns = (rich_progress.TextColumn(doing), rich_progress.BarColumn(), _Rate(), rich_progress.TimeRemainingColumn())
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as view:
        yield _Shown(view, view.add_task(doing, total=total))
