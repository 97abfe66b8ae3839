"""Where a run is shown: live in a terminal, as lines of text, or as one line of JSON at the end."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Protocol

import msgspec
from rich.console import Console
from rich.live import Live

from .board import Board
from .scene import Scene
from .summary import Summary, in_words
from .view import Clock, alert_line, frame

REFRESH_S: Final = 0.25


class Stage(Protocol):
    """Shows a run; a context manager. `end` comes after it has been left."""

    def __enter__(self) -> Stage: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, board: Board, scene: Scene) -> None:
        """As it stands now; called often, shown as often as it makes sense."""

    def end(self, summary: Summary, board: Board) -> None:
        """The last word."""


class LiveStage:
    """A picture that is drawn anew a few times a second; the summary takes its place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._next = 0.0

    def __enter__(self) -> LiveStage:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, board: Board, scene: Scene) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + REFRESH_S
            self._live.update(frame(board, scene, self._console), refresh=True)

    def end(self, summary: Summary, board: Board) -> None:
        self._console.print("Millstream", style="bold")
        for line in in_words(summary, board):
            self._console.print(f"  {line}", highlight=False)


class LineStage:
    """Alerts as lines, as they come, for a file or a pipe."""

    def __init__(self) -> None:
        self._shown = 0

    def __enter__(self) -> LineStage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout.flush()

    def show(self, board: Board, scene: Scene) -> None:
        told = board.counts["opened"] + board.counts["closed"]
        new = min(told - self._shown, len(board.alerts))
        self._shown = told
        clock = Clock(scene.start_ms)
        for alert in list(board.alerts)[len(board.alerts) - new :]:
            print(alert_line(alert, clock).plain.rstrip(), flush=True)

    def end(self, summary: Summary, board: Board) -> None:
        for line in in_words(summary, board):
            print(line)


class JsonStage(LineStage):
    """Nothing but one JSON object at the end."""

    def show(self, board: Board, scene: Scene) -> None:
        pass

    def end(self, summary: Summary, board: Board) -> None:
        print(msgspec.json.encode(summary).decode(), flush=True)
