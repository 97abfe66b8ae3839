"""The event loop of a worker's asynchronous operators."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

LAST_WAIT_S = 1.0


class EventLoop:
    """One loop for all tasks of a worker, from the first asynchronous operator that opens it to the last that closes.

    It runs in the worker's thread, and only while an operator waits for its calls; then the calls of others go on too.
    What a user's client keeps open between two calls stays open, as it is the same loop.
    """

    def __init__(self) -> None:
        self._users = 0
        self._runner: asyncio.Runner | None = None
        self._end: Callable[[], object] = lambda: None

    def open(self) -> None:
        self._users += 1
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
            # a test may leave its driver, and thereby the loop, to the garbage collector
            self._end = weakref.finalize(self, _apart_from_other_loops, self._runner.close)

    def close(self) -> None:
        self._users -= 1
        if self._users == 0:
            self._runner = None
            self._end()

    def start(self, call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Make a call; it goes on whenever the loop runs."""
        return self._loop.create_task(call)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run until this is done; what it raises is raised here."""
        return _apart_from_other_loops(lambda: self._loop.run_until_complete(coroutine))

    def wait(self, call: asyncio.Task[None]) -> None:
        """Run until a call is done, whatever comes of it."""
        if not call.done():
            self.run(_ended([call]))

    def cancel(self, calls: Iterable[asyncio.Task[None]]) -> None:
        """Give up calls; one that doesn't let itself be given up is left behind after a second."""
        waiting = list(calls)
        for call in waiting:
            call.cancel()
        if waiting:
            self.run(_ended(waiting, LAST_WAIT_S))
        for call in waiting:
            if call.done() and not call.cancelled():
                call.exception()  # asked for, so that asyncio doesn't complain that nobody did

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        assert self._runner is not None, "the loop is not open"
        return self._runner.get_loop()


async def _ended(calls: list[asyncio.Task[None]], limit_s: float | None = None) -> None:
    await asyncio.wait(calls, timeout=limit_s)


def _apart_from_other_loops(run: Callable[[], T]) -> T:
    """Here, or in another thread where this one runs a loop of its own already, as that of a notebook does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()
