"""Nodes that look at one record at a time and remember nothing (rules O1-O3).

Where a function takes the value alone it is called so directly: an adapter in between would cost each record a call.
Only the user's function stands inside `try`, so that an error further down is not taken for this node's.
"""

from __future__ import annotations

from typing import Any

from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.nodes import Filter, FlatMap, FlatMapValues, KeyPresent, Map, MapValues, Merge, Peek, SelectKey

END: Any = object()


def filter_node(node: Filter, downstream: Downstream, parts: Parts) -> NodeFunction:
    fn, negated, forward, failed = node.predicate.call, node.negated, downstream.forward, parts.failures.processing

    def by_value(key: Any, value: Any, timestamp: int) -> None:
        try:
            passes = fn(value)
        except Exception as error:
            return failed(node.name, node.site, error)
        if passes:
            forward(key, value, timestamp)
        return None

    def by_key_and_value(key: Any, value: Any, timestamp: int) -> None:
        try:
            passes = fn(key, value)
        except Exception as error:
            return failed(node.name, node.site, error)
        if passes:
            forward(key, value, timestamp)
        return None

    def negative(key: Any, value: Any, timestamp: int) -> None:
        try:
            passes = call(key, value)
        except Exception as error:
            return failed(node.name, node.site, error)
        if not passes:
            forward(key, value, timestamp)
        return None

    call = node.predicate.by_key_and_value
    if negated:
        return negative
    return by_key_and_value if node.predicate.with_key else by_value


def key_present(node: KeyPresent, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Rule O6."""
    forward, metrics = downstream.forward, parts.metrics

    def call(key: Any, value: Any, timestamp: int) -> None:
        if key is None:
            metrics.dropped += 1
        else:
            forward(key, value, timestamp)

    return forward if node.null_keys else call


def map_values(node: MapValues, downstream: Downstream, parts: Parts) -> NodeFunction:
    fn, forward, failed = node.mapper.call, downstream.forward, parts.failures.processing

    def by_value(key: Any, value: Any, timestamp: int) -> None:
        try:
            new = fn(value)
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(key, new, timestamp)

    def by_key_and_value(key: Any, value: Any, timestamp: int) -> None:
        try:
            new = fn(key, value)
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(key, new, timestamp)

    return by_key_and_value if node.mapper.with_key else by_value


def select_key(node: SelectKey, downstream: Downstream, parts: Parts) -> NodeFunction:
    fn, forward, failed = node.mapper.call, downstream.forward, parts.failures.processing

    def by_value(_key: Any, value: Any, timestamp: int) -> None:
        try:
            new = fn(value)
        except Exception as error:
            if value is not None or not node.of_fields:
                return failed(node.name, node.site, error)
            new = None
        return forward(new, value, timestamp)

    def by_key_and_value(key: Any, value: Any, timestamp: int) -> None:
        try:
            new = fn(key, value)
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(new, value, timestamp)

    return by_key_and_value if node.mapper.with_key else by_value


def map_node(node: Map, downstream: Downstream, parts: Parts) -> NodeFunction:
    fn, forward, failed = node.mapper.by_key_and_value, downstream.forward, parts.failures.processing

    def call(key: Any, value: Any, timestamp: int) -> None:
        try:
            new_key, new_value = fn(key, value)
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(new_key, new_value, timestamp)

    return call


def flat_map(node: FlatMap, downstream: Downstream, parts: Parts) -> NodeFunction:
    """What the function gave before it fails has gone on, as in Kafka Streams (rule O2)."""
    fn, forward, failed = node.mapper.by_key_and_value, downstream.forward, parts.failures.processing

    def call(key: Any, value: Any, timestamp: int) -> None:
        try:
            pairs = iter(fn(key, value))
        except Exception as error:
            return failed(node.name, node.site, error)
        while True:
            try:
                pair = next(pairs, END)
                if pair is END:
                    return None
                new_key, new_value = pair
            except Exception as error:
                return failed(node.name, node.site, error)
            forward(new_key, new_value, timestamp)

    return call


def flat_map_values(node: FlatMapValues, downstream: Downstream, parts: Parts) -> NodeFunction:
    """As flat_map."""
    fn, forward, failed = node.mapper.by_key_and_value, downstream.forward, parts.failures.processing

    def call(key: Any, value: Any, timestamp: int) -> None:
        try:
            values = iter(fn(key, value))
        except Exception as error:
            return failed(node.name, node.site, error)
        while True:
            try:
                new = next(values, END)
            except Exception as error:
                return failed(node.name, node.site, error)
            if new is END:
                return None
            forward(key, new, timestamp)

    return call


def peek(node: Peek, downstream: Downstream, parts: Parts) -> NodeFunction:
    fn, forward, failed = node.action.by_key_and_value, downstream.forward, parts.failures.processing

    def call(key: Any, value: Any, timestamp: int) -> None:
        try:
            fn(key, value)
        except Exception as error:
            return failed(node.name, node.site, error)
        return forward(key, value, timestamp)

    return call


def merge(_node: Merge, downstream: Downstream, _parts: Parts) -> NodeFunction:
    return downstream.forward
