"""Foreign-key joins: requests to where the right row lies, and answers back to the left one (rules J27-J38)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mmh3

from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.foreign_key import Answer, AnswerAll, AnswerSink, Register, Resolve, Subscribe
from millstream.plan.internal import internal_topic
from millstream.serde import Serde, bound, exact
from millstream.serde.subscription import Instruction, Reply, Request
from millstream.state import SubscriptionRows

HASH_SEED = 104_729

Asked = tuple[Any, Instruction]


def register(node: Register, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rules J27-J34: what an update of a left row asks of which foreign key."""
    fn, forward, failed = node.foreign_key.by_key_and_value, downstream.forward, parts.failures.processing
    # the key comes back as the key of the answer
    encode_key = bound(node.key, internal_topic(parts.app_id, node.answers), is_key=True).encode
    encode_value = _hashed(node, parts).encode
    context, metrics, partition = parts.context, parts.metrics, parts.task.partition
    requests = _left_requests if node.left else _inner_requests

    def foreign_key(key: Any, value: Any) -> Any:
        return None if value is None else fn(key, value)

    def call(key: Any, new: Any, old: Any, timestamp: int) -> None:
        if key is None or not context.latest:  # J38
            metrics.dropped += key is None
            return
        try:
            asked = requests(foreign_key(key, old), foreign_key(key, new), old is not None, new is not None)
            hashed = None if new is None else hash_of(encode_value(new))
            left_key = encode_key(key)
        except Exception as error:
            failed(node.name, node.site, error)
            return
        for wanted, instruction in asked:
            forward(wanted, Request(instruction, hashed, left_key, partition), timestamp)

    return call


def _inner_requests(old: Any, new: Any, _had_row: bool, _has_row: bool) -> list[Asked]:
    if old is None:
        return [] if new is None else [(new, Instruction.ANSWER_IF_THERE)]
    if new is None:
        return [(old, Instruction.DELETE_AND_ANSWER)]
    if old == new:
        return [(new, Instruction.ANSWER_IF_THERE)]
    return [(old, Instruction.DELETE_QUIETLY), (new, Instruction.ANSWER_ALWAYS)]


def _left_requests(old: Any, new: Any, had_row: bool, has_row: bool) -> list[Asked]:
    if not had_row and not has_row:
        return []
    asked = [(new, Instruction.ANSWER_ALWAYS)]
    return asked if old is None or old == new else [(old, Instruction.DELETE_QUIETLY), *asked]


def subscribe(node: Subscribe, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule J35, its first half: deletes and stores. A null foreign key is never stored."""
    rows: SubscriptionRows = parts.rows(node.subscriptions)
    forward, encode = downstream.forward, _foreign_keys(node, parts).encode

    def call(foreign_key: Any, request: Request, timestamp: int) -> None:
        if foreign_key is not None:
            data = encode(foreign_key)
            if request.instruction in (Instruction.DELETE_QUIETLY, Instruction.DELETE_AND_ANSWER):
                rows.delete(data, request.left_key, timestamp)
            else:
                rows.put(data, request, timestamp)
        forward(foreign_key, request, timestamp)

    return call


def answer(node: Answer, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule J35, its second half."""
    row_of, forward = parts.lookup(node.table), downstream.forward
    encode = _answers(node.value, node.answers, parts).encode
    seen = parts.seen.setdefault(node.answers, set())

    def call(foreign_key: Any, request: Request, timestamp: int) -> None:
        if request.instruction is Instruction.DELETE_QUIETLY:
            return
        row = None if foreign_key is None else row_of(foreign_key)
        if row is None and request.instruction is Instruction.ANSWER_IF_THERE:
            return
        if row is not None:
            seen.add(foreign_key)
            timestamp = max(timestamp, row[1])
        told = row is not None and request.instruction is not Instruction.DELETE_AND_ANSWER
        value = encode(row[0]) if told and row is not None else None
        forward(request.left_key, (request.partition, Reply(request.hash, value)), timestamp)

    return call


def answer_all(node: AnswerAll, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule J36. A request may have been answered with a row that came and went within a round."""
    rows: SubscriptionRows = parts.rows(node.subscriptions)
    forward, context = downstream.forward, parts.context
    encode_key = _foreign_keys(node, parts).encode
    encode_value = _answers(node.value, node.answers, parts).encode

    def call(foreign_key: Any, new: Any, _old: Any, timestamp: int) -> None:
        if foreign_key is None or not context.latest:
            return
        value = None if new is None else encode_value(new)
        for request in rows.of(encode_key(foreign_key)):
            forward(request.left_key, (request.partition, Reply(request.hash, value)), timestamp)

    def vanished(foreign_key: Any, timestamp: int) -> None:
        if foreign_key in seen:
            row = row_of(foreign_key)
            call(foreign_key, None if row is None else row[0], None, timestamp)

    row_of = parts.lookup(node.parents[0])
    seen = parts.seen.setdefault(node.answers, set())
    parts.flushes.append(seen.clear)
    parts.on_vanished(node.parents[0], vanished)
    return call


def answer_sink(node: AnswerSink, _downstream: Downstream, parts: Parts) -> NodeFunction:
    """Answers go to the partition that the request named; keys come as bytes."""
    topic = internal_topic(parts.app_id, node.topic)
    buffers, encode, context = parts.outbox.topic(topic).partitions, node.value.encode, parts.context
    origin = parts.failures.origins(node.name)

    def call(left_key: bytes, addressed: tuple[int, Reply], timestamp: int) -> None:
        partition, reply = addressed
        rows = buffers[partition]
        if origin is not None:
            rows.origins.append(origin())
        if context.headers:
            rows.headers[len(rows.timestamps)] = context.headers
        rows.keys.append(left_key)
        rows.values.append(encode(reply))
        rows.timestamps.append(timestamp)

    return call


def resolve(node: Resolve, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule J37: an answer to a left value that is no longer there is stale.

    A left row that came and went within a round may have been joined, or an answer passed over because of it.
    """
    row_of, forward, failed = parts.lookup(node.table), downstream.forward, parts.failures.processing
    encode = _hashed(node, parts).encode
    decode, left = _answers(node.other, node.answers, parts).decode, node.left
    joined = _joined(node)

    def call(key: Any, reply: Reply, timestamp: int) -> None:
        row = row_of(key)
        seen.add(key)
        if reply.hash != (None if row is None else hash_of(encode(row[0]))):
            return
        try:
            if row is None or (reply.value is None and not left):
                result = None
            else:
                result = joined(key, row[0], None if reply.value is None else decode(reply.value))
        except Exception as error:
            failed(node.name, node.site, error)
            return
        forward(key, result, timestamp)

    def vanished(key: Any, timestamp: int) -> None:
        if key in seen and row_of(key) is None:
            forward(key, None, timestamp)

    seen: set[Any] = set()
    parts.flushes.append(seen.clear)
    parts.on_vanished(node.table, vanished)
    return call


def _foreign_keys(node: Subscribe | AnswerAll, parts: Parts) -> Serde[Any]:
    """Of the subscription store's keys. The endings -fk and -vh are Kafka Streams' own."""
    return bound(node.foreign_key, f"{internal_topic(parts.app_id, node.requests)}-fk", is_key=True)


def _hashed(node: Register | Resolve, parts: Parts) -> Serde[Any]:
    """Of left values, whose bytes are hashed in both places."""
    return bound(node.value, f"{internal_topic(parts.app_id, node.requests)}-vh", is_key=False)


def _answers(serde: Serde[Any], topic: str, parts: Parts) -> Serde[Any]:
    return exact(bound(serde, internal_topic(parts.app_id, topic), is_key=False))


def _joined(node: Resolve) -> Callable[[Any, Any, Any], Any]:
    fn = node.joiner.call
    return fn if node.joiner.with_key else lambda _key, left, right: fn(left, right)


def hash_of(data: bytes) -> bytes:
    """Kafka Streams' hash of a left value: murmur3, 128 bits (rule F16).

    >>> hash_of(b"a1").hex()
    '353e0e4f3af5ce6b8fb80c06f3fdc584'
    """
    high, low = mmh3.hash64(data, HASH_SEED, x64arch=True, signed=False)
    return high.to_bytes(8, "big") + low.to_bytes(8, "big")
