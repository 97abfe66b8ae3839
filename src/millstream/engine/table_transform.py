"""Table values through a transformer of the user's, which may have stores: Kafka Streams' `KTable#transformValues`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from millstream.engine.lifecycle import Lifecycle
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.processor_context import ProcessorContext
from millstream.engine.tables import stored_updates
from millstream.errors import MillstreamError, TopologyError
from millstream.plan.tables import TableTransform


class TransformContext(ProcessorContext):
    """The context of a transformer: what it returns is the new value, so it forwards nothing."""

    def forward(self, *_: object, **__: object) -> NoReturn:
        raise MillstreamError(f"{self._node.site}: transform returns the new value, and cannot forward")


def table_transform(node: TableTransform, downstream: Downstream, parts: Parts) -> NodeFunction:
    """As map_values, but null values are transformed too."""
    transform, failed, context = _transform(node, parts), parts.failures.processing, parts.context
    sends_old, forward = node.sends_old, downstream.forward
    put = None if node.store is None else stored_updates(node, downstream, parts)
    if node.name in parts.transforms:
        parts.transforms[node.name] = _looking(_transform(node, parts), parts)

    def call(key: Any, new: Any, old: Any, timestamp: int) -> None:
        context.timestamp = timestamp
        try:
            new = transform(key, new)
            old = transform(key, old) if sends_old and put is None else None
        except MillstreamError:
            raise
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(key, new, old, timestamp) if put is None else put(key, new, timestamp)

    return call


def _transform(node: TableTransform, parts: Parts) -> Callable[[Any, Any], Any]:
    """The method of a transformer that is made for this task."""
    transformer = node.supplier()
    if not callable(getattr(transformer, "transform", None)):
        raise TopologyError(f"{node.site}: {type(transformer).__name__} has no transform(key, value) method")
    Lifecycle(node, transformer, TransformContext(node, Downstream(_nowhere, {}), parts), parts).attach()
    transform: Callable[[Any, Any], Any] = transformer.transform
    return transform


def _looking(transform: Callable[[Any, Any], Any], parts: Parts) -> Callable[[Any, Any, int], Any]:
    """For rows that others look up: a transformer of its own, at the time of the row and from nowhere."""
    task = parts.context

    def looked_up(key: Any, value: Any, timestamp: int) -> Any:
        before = (task.rows, task.row, task.headers, task.timestamp)
        task.rows, task.row, task.headers, task.timestamp = None, -1, (), timestamp
        try:
            return transform(key, value)
        finally:
            task.rows, task.row, task.headers, task.timestamp = before

    return looked_up


def _nowhere(*_: object) -> None:
    """A transformer has no children of its own."""
