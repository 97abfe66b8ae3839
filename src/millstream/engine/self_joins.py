"""A stream joined with itself, out of one store: the same answers as out of one for each side (rule J11)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.stream_joins import SelfJoin
from millstream.state import JoinRows


def self_join(node: SelfJoin, downstream: Downstream, parts: Parts) -> NodeFunction:
    """A record first meets the others as the left side, then the others and itself as the right one.

    The node above keeps it in the store after that (rule J6). With `retention_rule="kafka"` it is Kafka Streams' own
    node to the letter: a record at the very end of the retention doesn't meet itself, and left and outer joins lose
    records without a key, which go on alone when there are two stores.
    """
    rows: JoinRows = parts.rows(node.rows)
    between, forward, metrics, failed = rows.between, downstream.forward, parts.metrics, parts.failures.processing
    before, after, retention_ms = node.window.before_ms, node.window.after_ms, node.window.retention_ms
    literal = parts.settings.retention_rule == "kafka"
    left, outer = node.left and not literal, node.outer and not literal
    joiner = _of_key_and_both(node)
    stream_time = -1

    def pairs(key: Any, values: Sequence[tuple[Any, Any, int]]) -> None:
        for one, other, timestamp in values:
            try:
                new = joiner(key, one, other)
            except Exception as error:
                failed(node.name, node.site, error)
                return
            forward(key, new, timestamp)

    def call(key: Any, value: Any, timestamp: int) -> None:
        nonlocal stream_time
        dropped = value is None or (key is None and not left)  # J2
        if timestamp > stream_time and not (dropped and literal):  # J1
            stream_time = timestamp
        if dropped:
            metrics.dropped += 1
        elif key is None:
            pairs(key, [(value, None, timestamp)])
            if outer:
                pairs(key, [(None, value, timestamp)])
        else:
            as_left(key, value, timestamp)
            as_right(key, value, timestamp)

    def as_left(key: Any, value: Any, timestamp: int) -> None:
        found = between(key, timestamp - before, timestamp + after)  # J4
        if found or not left:
            pairs(key, [(value, partner, when if when > timestamp else timestamp) for when, partner in found])
        elif timestamp + after < stream_time:  # J5
            pairs(key, [(value, None, timestamp)])

    def as_right(key: Any, value: Any, timestamp: int) -> None:
        if literal:
            oldest, first = stream_time - retention_ms + 1, timestamp - after
        else:  # J7, as if the record were kept already
            oldest = max(rows.newest, timestamp) - retention_ms
            first = max(timestamp - after, oldest + 1)
        found = between(key, first, timestamp + before)
        if timestamp > oldest:
            found.insert(bisect_right(found, timestamp, key=_time), (timestamp, value))
        elif outer and not found:
            pairs(key, [(None, value, timestamp)])
        pairs(key, [(partner, value, when if when > timestamp else timestamp) for when, partner in found])

    def start() -> None:
        """Restored rows tell the time that the join had seen at least (Z7)."""
        nonlocal stream_time
        stream_time = max(stream_time, rows.newest)

    parts.starts.append(start)
    return call


def _of_key_and_both(node: SelfJoin) -> Callable[[Any, Any, Any], Any]:
    call = node.joiner.call
    return call if node.joiner.with_key else lambda _key, one, other: call(one, other)


def _time(row: tuple[int, Any]) -> int:
    return row[0]
