"""Splits of a stream: the first branch whose predicate holds takes the record (rule O2)."""

from __future__ import annotations

from typing import Any

from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.branches import Branch, Split


def split(node: Split, downstream: Downstream, parts: Parts) -> NodeFunction:
    failed = parts.failures.processing
    choices = [(fn.by_key_and_value, downstream.by_name[name]) for name, fn in node.choices]
    otherwise = None if node.default is None else downstream.by_name[node.default]

    def call(key: Any, value: Any, timestamp: int) -> None:
        chosen = otherwise
        try:
            for holds, branch in choices:
                if holds(key, value):
                    chosen = branch
                    break
        except Exception as error:
            failed(node.name, node.site, error)
            return
        if chosen is not None:
            chosen(key, value, timestamp)

    return call


def branch(_node: Branch, downstream: Downstream, _parts: Parts) -> NodeFunction:
    return downstream.forward
