"""The Processor API: the user's processors, and the node that runs one (rules P1, P2, P7, X15)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from millstream.engine.async_processors import AsyncCalling, AsyncGeneratorProcessor, is_async
from millstream.engine.lifecycle import Lifecycle
from millstream.engine.message import FixedKeyMessage, Message
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.processor_context import ProcessorContext
from millstream.errors import MillstreamError, TopologyError
from millstream.plan.nodes import Process


class Processor(Protocol):
    """What `process` makes one of for each task. `init(context)` and `close()` are called where they exist.

    Where `process` is an `async def`, `init` and `close` may be too. A class need not name `Processor` among its bases.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> class Shouted(ms.Processor):
    ...     def init(self, context: ms.ProcessorContext) -> None:
    ...         self.context = context
    ...     def process(self, record: ms.Message) -> None:
    ...         self.context.forward(record.with_value(record.value.upper()))
    >>> app = ms.App("lines")
    >>> app.stream("lines", value=str).process_values(Shouted, value=str).to("loud")
    >>> drive(app, ("lines", "k", "ho"))
    {'loud': [('k', 'HO')]}
    """

    def process(self, record: Message) -> object:
        """Take a record: forward with the context what is to go on, or yield it."""


class GeneratorProcessor:
    """A generator function as a processor."""

    def __init__(self, function: Callable[[Message], Iterable[Message]]) -> None:
        self.process = function


def _forwarding(
    function: Callable[[Message], Iterable[Message]], forward: Callable[[Message], None]
) -> Callable[[Message], None]:
    """What a generator yields for a record is forwarded, each before it goes on."""

    def run(record: Message) -> None:
        for message in function(record):
            forward(message)

    return run


def _refuse_lost(made: object) -> None:
    """What is returned is nobody's; of a coroutine or a generator, nothing would have been done."""
    if inspect.iscoroutine(made) or inspect.isgenerator(made):
        made.close()
        raise TypeError(f"process returned a {type(made).__name__}: write it as `async def process`, or with `yield`")


def process(node: Process, downstream: Downstream, parts: Parts) -> NodeFunction:
    processor = _made(node)
    if is_async(processor):
        return AsyncCalling(node, processor, downstream, parts).call
    own = ProcessorContext(node, downstream, parts)
    Lifecycle(node, processor, own, parts).attach()
    context, failed = parts.context, parts.failures.processing
    run, message = processor.process, FixedKeyMessage if node.fixed_key else Message
    if inspect.isgeneratorfunction(run):
        run = _forwarding(run, own.forward)

    def call(key: Any, value: Any, timestamp: int) -> None:
        context.timestamp = timestamp
        try:
            made = run(message(key, value, timestamp, context.headers))
            if made is not None:
                _refuse_lost(made)
        except MillstreamError:
            raise
        except Exception as error:
            failed(node.name, node.site, error)

    return call


def _made(node: Process) -> Any:
    """A processor for this task."""
    supplier = node.supplier
    if inspect.isgeneratorfunction(supplier):
        return GeneratorProcessor(supplier)
    if inspect.isasyncgenfunction(supplier):
        return AsyncGeneratorProcessor(supplier)
    processor = supplier()
    if not callable(getattr(processor, "process", None)):
        raise TopologyError(f"{node.site}: {type(processor).__name__} has no process(record) method")
    return processor
