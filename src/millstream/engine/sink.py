"""Records into topics: encoded at once, so that nothing changed later changes what was sent."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, TypeAlias

from millstream.engine.outbox import PartitionBuffer, TopicBuffer
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.remembered import Remembered
from millstream.plan.internal import internal_topic
from millstream.plan.nodes import Sink
from millstream.plan.sinks import RoutedSink
from millstream.serde import Serde, SessionWindowedSerde, TimeWindowedSerde, Windowed, bound, exact

Address: TypeAlias = tuple[bytes | None, PartitionBuffer]
_START = Struct(">q")
_END_START = Struct(">qq")


def sink(node: Sink, _downstream: Downstream, parts: Parts) -> NodeFunction:
    topic = internal_topic(parts.app_id, node.topic) if node.internal else node.topic
    buffer = parts.outbox.topic(topic)
    address_of = addressing(bound(node.key, topic, is_key=True), buffer)
    encode_value = value_serde(node, topic).encode
    context, failures = parts.context, parts.failures
    origin = failures.origins(node.name)

    def call(key: Any, value: Any, timestamp: int) -> None:
        try:
            data = None if value is None else encode_value(value)
            key_bytes, rows = (None, buffer.route(None)) if key is None else address_of(key)
        except Exception as error:
            failures.unencodable(node.name, topic, error)
            return
        if origin is not None:
            rows.origins.append(origin())
        if context.headers:
            rows.headers[len(rows.timestamps)] = context.headers
        rows.keys.append(key_bytes)
        rows.values.append(data)
        rows.timestamps.append(timestamp)

    return call


def value_serde(node: Sink | RoutedSink, topic: str) -> Serde[Any]:
    """The serde of values into a topic; what goes into an internal one comes back as it was."""
    serde = bound(node.value, topic, is_key=False)
    return exact(serde) if isinstance(node, Sink) and node.internal else serde


def addressing(serde: Serde[Any], buffer: TopicBuffer) -> Callable[[Any], Address]:
    """From a key to its bytes and its partition; a windowed key lies where its inner key does (rule F14)."""
    inner = serde.inner if isinstance(serde, TimeWindowedSerde | SessionWindowedSerde) else serde
    encode, route = inner.encode, buffer.route

    def of(key: Any) -> Address:
        data = encode(key)
        return data, route(data)

    # bytes and partition of keys that come often: these are encoded and hashed once
    find: Callable[[Any], Address] = Remembered(of).__getitem__ if inner.cacheable else of
    pack, pack_session = _START.pack, _END_START.pack

    def windowed(key: Windowed[Any]) -> Address:
        data, rows = find(key.key)
        return data + pack(key.window.start), rows  # type: ignore[operator]  # an inner key is never null

    def session(key: Windowed[Any]) -> Address:
        data, rows = find(key.key)
        start, end = key.window
        return data + pack_session(end, start), rows  # type: ignore[operator]

    if isinstance(serde, SessionWindowedSerde):
        return session
    return windowed if isinstance(serde, TimeWindowedSerde) else find
