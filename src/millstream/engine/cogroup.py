"""Several groups' aggregations as one table (rule A5)."""

from __future__ import annotations

from typing import Any

from millstream.engine.emission import emitter
from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.plan.cogroup import CogroupMerge


def cogroup_merge(node: CogroupMerge, downstream: Downstream, parts: Parts) -> NodeFunction:
    """Updates of all groups are held back together: one group's latest must not undo a later one of another."""
    emit = emitter(node.emit, downstream, parts, sends_old=node.sends_old)

    def call(key: Any, new: Any, old: Any, timestamp: int) -> None:
        emit(key, key, new, old, timestamp)

    return call
