"""The node of a sink whose topic is chosen for each record (rule O10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from millstream.plan.function import UserFunction
from millstream.plan.nodes import Node, Partitioner
from millstream.serde import Serde


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedSink(Node):
    """Records into the topics that a function names; they must exist."""

    topic_of: UserFunction
    key: Serde[Any]
    value: Serde[Any]
    partitioner: Partitioner | None = None
