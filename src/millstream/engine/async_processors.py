"""Asynchronous processors: `async def process(record)`, an async generator function, or a mapper that is awaited."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from millstream.engine.calls import CURRENT, PendingCalls
from millstream.engine.context import TaskContext, metadata_of
from millstream.engine.lifecycle import Lifecycle
from millstream.engine.message import FixedKeyMessage, Message, RecordMetadata
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.processor_context import ProcessorContext
from millstream.errors import MillstreamError, TopologyError
from millstream.plan.calls import Calls
from millstream.plan.nodes import MapValuesAsync, Process


class AsyncContext(ProcessorContext):
    """The context of an asynchronous processor: what a call forwards waits until it is that record's turn."""

    def forward(self, record: Message, child: str | None = None) -> None:
        call = CURRENT.get()
        if call is None:  # a punctuation
            super().forward(record, child)
        elif call.done:
            raise MillstreamError(
                f"{self._node.site}: process had returned before forward was called; await what calls it"
            )
        else:
            call.outputs.append((self.target(record, child), record))

    def current_stream_time_ms(self) -> int:
        call = CURRENT.get()
        return super().current_stream_time_ms() if call is None else call.stream_time

    @property
    def record_metadata(self) -> RecordMetadata:
        call = CURRENT.get()
        return super().record_metadata if call is None else metadata_of(*call.place)


class AsyncGeneratorProcessor:
    """An async generator function as a processor."""

    def __init__(self, function: Callable[[Message], AsyncIterable[Message]]) -> None:
        self.process = function


def is_async(processor: Any) -> bool:
    method = getattr(processor, "process", None)
    return inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)


def _forwarding(
    function: Callable[[Message], Any], forward: Callable[[Message], None]
) -> Callable[[Message], Awaitable[object]]:
    """What an async generator yields for a record is forwarded."""

    async def make(record: Message) -> None:
        async with aclosing(function(record)) as messages:
            async for message in messages:
                forward(message)

    return make


def _passing_on(task: TaskContext) -> Callable[[NodeFunction, Message], None]:
    """What a call forwarded has its own time and headers below. What was at hand comes back with the next record."""

    def pass_on(target: NodeFunction, record: Message) -> None:
        task.headers, task.timestamp = record.headers, record.timestamp
        target(record.key, record.value, record.timestamp)

    return pass_on


class AsyncCalling:
    """The node of an asynchronous processor: its calls, between the opening and the closing of the loop."""

    def __init__(self, node: Process, processor: Any, downstream: Downstream, parts: Parts) -> None:
        if node.stores:
            raise TopologyError(
                f"{node.site}: an asynchronous processor has no stores, because its calls are under way at the same "
                "time; look rows up in a join or a processor before it"
            )
        context = AsyncContext(node, downstream, parts)
        self._task = parts.context
        run = processor.process
        make = _forwarding(run, context.forward) if inspect.isasyncgenfunction(run) else run
        self._pending = PendingCalls(node, node.calls or Calls(), make, _passing_on(parts.context), parts)
        self._lifecycle = Lifecycle(node, processor, context, parts, parts.loop)
        self._message = FixedKeyMessage if node.fixed_key else Message
        parts.starts.append(self._start)
        parts.closes.append(self._close)

    def call(self, key: Any, value: Any, timestamp: int) -> None:
        self._pending.begin(self._message(key, value, timestamp, self._task.headers))

    def _start(self) -> None:
        self._pending.open()
        self._lifecycle.start()

    def _close(self) -> None:
        self._pending.discard()
        try:
            self._lifecycle.close()
        finally:
            self._pending.close()


def map_values_async(node: MapValuesAsync, downstream: Downstream, parts: Parts) -> NodeFunction:
    fn, task, forward = node.mapper.by_key_and_value, parts.context, downstream.forward

    async def make(record: Message) -> None:
        made = fn(record.key, record.value)
        if not isinstance(made, Awaitable):
            raise TypeError(f"{node.mapper.label} must be an async function, but it gave {type(made).__name__}")
        value, call = await made, CURRENT.get()
        assert call is not None
        call.outputs.append((forward, record.with_value(value)))

    def pass_on(target: NodeFunction, record: Message) -> None:
        target(record.key, record.value, record.timestamp)

    def close() -> None:
        pending.discard()
        pending.close()

    pending = PendingCalls(node, node.calls, make, pass_on, parts)
    parts.starts.append(pending.open)
    parts.closes.append(close)

    def call(key: Any, value: Any, timestamp: int) -> None:
        pending.begin(Message(key, value, timestamp, task.headers))

    return call
