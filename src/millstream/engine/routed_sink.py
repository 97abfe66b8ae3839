"""Records into topics and partitions that the user's functions choose (rule O10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from millstream.engine.context import metadata_of
from millstream.engine.message import RecordContext
from millstream.engine.outbox import PartitionBuffer, TopicBuffer
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.engine.sink import Address, addressing, value_serde
from millstream.errors import MillstreamError
from millstream.plan.internal import internal_topic
from millstream.plan.nodes import Partitioner, Sink
from millstream.plan.sinks import RoutedSink
from millstream.serde import bound

# key, value -> the key's bytes and the partitions that get the record
Places = Callable[[Any, Any], tuple[bytes | None, Iterable[PartitionBuffer]]]
Target = tuple[str, Places, Callable[[Any], bytes]]  # a topic, the places in it, what writes its values


def partitioned_sink(node: Sink, partitioner: Partitioner, parts: Parts) -> NodeFunction:
    """Into one topic; a partitioner of the user's chooses where."""
    topic = internal_topic(parts.app_id, node.topic) if node.internal else node.topic
    target = (topic, _places(node, partitioner, parts.outbox.topic(topic)), value_serde(node, topic).encode)
    return _writer(node, lambda _key, _value, _timestamp: target, parts)


def routed_sink(node: RoutedSink, _downstream: Downstream, parts: Parts) -> NodeFunction:
    topic_of = _topic_of(node, parts)
    known: dict[str, Target] = {}

    def route(key: Any, value: Any, timestamp: int) -> Target:
        topic = topic_of(key, value, timestamp)
        if not isinstance(topic, str) or not topic:
            raise TypeError(f"expected the name of a topic, got {topic!r}")
        target = known.get(topic)
        if target is None:
            places = _places(node, node.partitioner, parts.outbox.topic(topic))
            target = known[topic] = (topic, places, value_serde(node, topic).encode)
        return target

    return _writer(node, route, parts)


def _topic_of(node: RoutedSink, parts: Parts) -> Callable[[Any, Any, int], Any]:
    fn, context = node.topic_of.by_key_and_value, parts.context
    if not node.sees_context:
        return lambda key, value, _timestamp: fn(key, value)
    seeing = node.topic_of.call

    def topic_of(key: Any, value: Any, timestamp: int) -> Any:
        place = metadata_of(context.rows, context.row)
        return seeing(key, value, RecordContext(*place, timestamp, context.headers))

    return topic_of


def _writer(node: Sink | RoutedSink, route: Callable[[Any, Any, int], Target], parts: Parts) -> NodeFunction:
    context, failures = parts.context, parts.failures
    origin = failures.origins(node.name)

    def call(key: Any, value: Any, timestamp: int) -> None:
        try:
            topic, places, encode_value = route(key, value, timestamp)
        except MillstreamError:
            raise
        except Exception as error:
            failures.processing(node.name, node.site, error)
            return
        try:
            data = None if value is None else encode_value(value)
            key_bytes, targets = places(key, value)
        except Exception as error:
            failures.unencodable(node.name, topic, error)
            return
        for rows in targets:
            rows.append(key_bytes, data, timestamp, context.headers, None if origin is None else origin())

    return call


def _places(node: Sink | RoutedSink, partitioner: Partitioner | None, buffer: TopicBuffer) -> Places:
    keys = bound(node.key, buffer.name, is_key=True)
    address_of, encode_key = addressing(keys, buffer), keys.encode

    def by_key(key: Any, _value: Any) -> tuple[bytes | None, Iterable[PartitionBuffer]]:
        data, rows = _default(key, address_of, buffer)
        return data, (rows,)

    def chosen(key: Any, value: Any) -> tuple[bytes | None, Iterable[PartitionBuffer]]:
        assert partitioner is not None
        numbers = partitioner(key, value, len(buffer.partitions))
        if numbers is None:
            return by_key(key, value)
        wanted = (numbers,) if isinstance(numbers, int) else tuple(numbers)
        wrong = [number for number in wanted if not 0 <= number < len(buffer.partitions)]
        if wrong:
            raise ValueError(f"the partitioner chose partition {wrong[0]} of {len(buffer.partitions)}")
        return (None if key is None else encode_key(key)), [buffer.partitions[number] for number in wanted]

    return by_key if partitioner is None else chosen


def _default(
    key: Any, address_of: Callable[[Any], Address], buffer: TopicBuffer
) -> tuple[bytes | None, PartitionBuffer]:
    return (None, buffer.route(None)) if key is None else address_of(key)
