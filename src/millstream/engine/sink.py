"""Records into topics: encoded at once, so that nothing changed later changes what was sent."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, TypeAlias

from millstream.engine.outbox import PartitionBuffer, TopicBuffer
from millstream.engine.parts import ApartFunction, Downstream, NodeFunction, Parts
from millstream.engine.remembered import MOST, Remembered, most_of
from millstream.plan.internal import internal_topic
from millstream.plan.nodes import Sink
from millstream.plan.sinks import RoutedSink
from millstream.serde import Serde, SessionWindowedSerde, TimeWindowedSerde, Window, Windowed, bound, exact

Address: TypeAlias = tuple[bytes, PartitionBuffer]
AnyWindowedSerde: TypeAlias = TimeWindowedSerde[Any] | SessionWindowedSerde[Any]
_START = Struct(">q")
_END_START = Struct(">qq")


def sink(node: Sink, _downstream: Downstream, parts: Parts) -> NodeFunction:
    topic = internal_topic(parts.app_id, node.topic) if node.internal else node.topic
    buffer = parts.outbox.topic(topic)
    serde = bound(node.key, topic, is_key=True)
    address_of = addressing(serde, buffer)
    encode_value = value_serde(node, topic).encode
    context, failures = parts.context, parts.failures
    origin = failures.origins(node.name)
    if isinstance(serde, TimeWindowedSerde | SessionWindowedSerde):
        parts.apart[node.name] = _apart(node, topic, serde, encode_value, parts)

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


def _apart(
    node: Sink, topic: str, serde: AnyWindowedSerde, encode_value: Callable[[Any], bytes], parts: Parts
) -> ApartFunction:
    """The same for windowed keys that come in parts; as short, for there are many of them at the end of a round."""
    find, suffix_of = addressing(serde.inner, parts.outbox.topic(topic)), _suffix_of(serde)
    context, failures = parts.context, parts.failures
    origin = failures.origins(node.name)
    last, suffix = Window(0, 0), suffix_of(Window(0, 0))

    def call(key: Any, window: Window, value: Any, timestamp: int) -> None:
        nonlocal last, suffix
        try:
            data = None if value is None else encode_value(value)
            inner, rows = find(key)
            if window is not last:  # of one window of time there are many keys
                last, suffix = window, suffix_of(window)
            key_bytes = inner + suffix
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
    if isinstance(serde, TimeWindowedSerde | SessionWindowedSerde):
        find, suffix_of = addressing(serde.inner, buffer), _suffix_of(serde)

        def windowed(key: Windowed[Any]) -> Address:
            data, rows = find(key.key)
            return data + suffix_of(key.window), rows

        return windowed
    encode, route = serde.encode, buffer.route

    def of(key: Any) -> Address:
        data = encode(key)
        return data, route(data)

    # bytes and partition of keys that come often: these are encoded and hashed once
    most = most_of(serde) if len(buffer.partitions) == 1 else MOST  # to hash a key is dear
    return Remembered(of, most).__getitem__ if serde.cacheable else of


def _suffix_of(serde: AnyWindowedSerde) -> Callable[[Window], bytes]:
    """What stands behind the key's bytes."""
    pack, pack_session = _START.pack, _END_START.pack

    def session(window: Window) -> bytes:
        start, end = window
        return pack_session(end, start)

    return session if isinstance(serde, SessionWindowedSerde) else lambda window: pack(window.start)
