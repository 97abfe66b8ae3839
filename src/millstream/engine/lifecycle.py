"""The beginning and the end of a user's processor: `init(context)` and `close()`, once for each task (rule P7)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from millstream.engine.event_loop import EventLoop
from millstream.engine.parts import Parts
from millstream.errors import MillstreamError, ProcessingError
from millstream.plan.nodes import Node


class Lifecycle:
    """Calls them, where they exist. With a `loop` they may be async. No handler is asked about what they raise."""

    def __init__(
        self, node: Node, processor: Any, context: object, parts: Parts, loop: EventLoop | None = None
    ) -> None:
        self._node = node
        self._processor = processor
        self._context = context
        self._parts = parts
        self._loop = loop

    def attach(self) -> None:
        """The task calls both."""
        self._parts.starts.append(self.start)
        self._parts.closes.append(self.close)

    def start(self) -> None:
        if hasattr(self._processor, "init"):
            self._call("init", lambda: self._processor.init(self._context))

    def close(self) -> None:
        if hasattr(self._processor, "close"):
            self._call("close", self._processor.close)

    def _call(self, what: str, method: Callable[[], Any]) -> None:
        try:
            made = method()
            if inspect.iscoroutine(made):
                if self._loop is None:
                    made.close()
                    raise TypeError(f"{what} is async, and process is not: make both of them async, or none")
                self._loop.run(made)
        except MillstreamError:
            raise
        except Exception as error:
            raise ProcessingError(
                f"task {self._parts.task}: {what} of {self._node.site} failed: {type(error).__name__}: {error}"
            ) from error
