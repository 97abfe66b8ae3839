"""Records into topics: encoded at once, so that nothing changed later changes what was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.engine.outbox import PartitionBuffer
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.model import Headers
from millstream.plan.internal import repartition_topic
from millstream.plan.nodes import Sink
from millstream.serde import Serde, TimeWindowedSerde

REMEMBERED_KEYS = 100_000


def sink(node: Sink, _downstream: Downstream, parts: Parts) -> NodeFunction:
    topic = repartition_topic(parts.app_id, node.topic) if node.internal else node.topic
    buffer = parts.outbox.topic(topic)
    encode_value, context, failures = node.value.encode, parts.context, parts.failures
    address = _address(node.key, buffer.route)
    remembered: dict[Any, tuple[bytes | None, PartitionBuffer]] = {}
    remember = node.key.cacheable

    def call(key: Any, value: Any, timestamp: int) -> None:
        try:
            found = remembered.get(key) if remember else None
            if found is None:
                found = address(key)
                if remember:
                    if len(remembered) >= REMEMBERED_KEYS:
                        remembered.clear()
                    remembered[key] = found
            data = None if value is None else encode_value(value)
        except Exception as error:
            failures.unencodable(node.name, topic, error)
            return
        key_bytes, rows = found
        if context.headers:
            rows.headers[len(rows.timestamps)] = context.headers
        rows.keys.append(key_bytes)
        rows.values.append(data)
        rows.timestamps.append(timestamp)

    def without_key(value: Any, timestamp: int, headers: Headers) -> None:
        try:
            data = None if value is None else encode_value(value)
        except Exception as error:
            failures.unencodable(node.name, topic, error)
            return
        buffer.append(None, data, timestamp, headers)

    def call_with_null_keys(key: Any, value: Any, timestamp: int) -> None:
        if key is None:
            without_key(value, timestamp, context.headers)
        else:
            call(key, value, timestamp)

    return call_with_null_keys


def _address(
    serde: Serde[Any], route: Callable[[bytes | None], PartitionBuffer]
) -> Callable[[Any], tuple[bytes, PartitionBuffer]]:
    """A key's bytes and its partition; a windowed key lies where its inner key does (rule F14)."""
    encode = serde.encode
    if isinstance(serde, TimeWindowedSerde):
        encode_inner = serde.inner.encode
        return lambda key: (encode(key), route(encode_inner(key.key)))

    def address(key: Any) -> tuple[bytes, PartitionBuffer]:
        data = encode(key)
        return data, route(data)

    return address
