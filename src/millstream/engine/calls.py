"""Calls of asynchronous operators: several at a time, their results in the order of their records.

A call begins when its record comes. Its results go on when those of all earlier records have gone on: when there are as
many calls as may be, and at the latest at the end of the round, before a commit, and before a punctuation. Then the
record's own place, time and headers are at hand again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from millstream.engine.context import Place
from millstream.engine.message import Message
from millstream.engine.parts import NodeFunction, Parts
from millstream.errors import MillstreamError
from millstream.model import Headers
from millstream.plan.calls import Calls
from millstream.plan.nodes import Node

LONGEST_BACKOFF_S = 60.0


class Call:
    """One record on its way through an asynchronous operator. `outputs` are what it forwards: where to, and what."""

    __slots__ = ("done", "headers", "outputs", "place", "record", "stream_time", "task")

    def __init__(self, record: Message, place: Place, headers: Headers, stream_time: int) -> None:
        self.record = record
        self.place = place
        self.headers = headers
        self.stream_time = stream_time
        self.outputs: list[tuple[NodeFunction, Message]] = []
        self.done = False
        self.task: asyncio.Task[None]


# the call that the running code belongs to, also in tasks that the user's function starts
CURRENT: ContextVar[Call | None] = ContextVar("CURRENT", default=None)


class PendingCalls:
    """The calls of one node, the earliest record's first. `make` awaits what becomes of a record."""

    def __init__(
        self,
        node: Node,
        calls: Calls,
        make: Callable[[Message], Awaitable[object]],
        forward: Callable[[NodeFunction, Message], None],
        parts: Parts,
    ) -> None:
        self._node = node
        self._how = calls
        self._make = make
        self._forward = forward
        self._failed = parts.failures.processing
        self._task = parts.context
        self._loop = parts.loop
        self._calls: deque[Call] = deque()
        self._opened = False
        parts.flushes.append(self.settle)
        parts.settles.append(self.settle)
        parts.discards.append(self.discard)

    def open(self) -> None:
        """The loop is to be there for this node."""
        self._opened = True
        self._loop.open()

    def close(self) -> None:
        """The loop is no longer needed for this node."""
        if self._opened:
            self._opened = False
            self._loop.close()

    def begin(self, record: Message) -> None:
        """Make a call for the record at hand; waits for the earliest one where there are as many as may be."""
        if len(self._calls) >= self._how.concurrency:
            self._wait(self._how.concurrency - 1)
        task = self._task
        call = Call(record, task.place(), task.headers, task.stream_time)
        call.task = self._loop.start(self._attempts(call))
        self._calls.append(call)

    def settle(self) -> None:
        """Wait for all calls, and pass on what came of them."""
        self._wait(0)

    def discard(self) -> None:
        """Give up what is under way."""
        self._loop.cancel(call.task for call in self._calls)
        self._calls.clear()

    def _wait(self, most: int) -> None:
        """Until no more than so many calls are left. One that fails for good stays, so that no commit goes past it."""
        calls = self._calls
        while len(calls) > most:
            self._loop.wait(calls[0].task)
            while calls and calls[0].task.done():
                self._pass_on(calls[0])
                calls.popleft()

    def _pass_on(self, call: Call) -> None:
        task = self._task
        before = (task.rows, task.row, task.headers, task.timestamp, task.stream_time)
        task.rows, task.row = call.place
        task.headers, task.timestamp, task.stream_time = call.headers, call.record.timestamp, call.stream_time
        try:
            self._finish(call)
        finally:
            task.rows, task.row, task.headers, task.timestamp, task.stream_time = before

    def _finish(self, call: Call) -> None:
        try:
            call.task.result()
        except MillstreamError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            shown = error if isinstance(error, Exception) else RuntimeError("the call was cancelled by itself")
            self._failed(self._node.name, self._node.site, shown)
            return
        for target, record in call.outputs:
            self._forward(target, record)

    async def _attempts(self, call: Call) -> None:
        CURRENT.set(call)
        backoff_s = self._how.backoff_ms / 1000
        for left in range(self._how.retries, -1, -1):
            try:
                await self._attempt(call.record)
                call.done = True
                return
            except MillstreamError:
                raise
            except Exception:
                call.outputs.clear()
                if not left:
                    raise
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)

    async def _attempt(self, record: Message) -> None:
        limit_ms = self._how.timeout_ms
        try:
            async with asyncio.timeout(None if limit_ms is None else limit_ms / 1000) as limit:
                await self._make(record)
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"the call was not done within {limit_ms} ms") from None
            raise
