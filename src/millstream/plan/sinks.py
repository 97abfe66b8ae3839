"""The nodes of a sink whose topic is chosen for each record (rule O10), and of records that are printed."""

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
    sees_context: bool = False  # it takes (key, value, context)
    key: Serde[Any]
    value: Serde[Any]
    partitioner: Partitioner | None = None

    @property
    def needs_place(self) -> bool:
        return self.sees_context


@dataclass(frozen=True, slots=True, kw_only=True)
class Print(Node):
    """Records as lines of text: `[label]: key, value`, or what `shown` makes of them; into a file, if there is one."""

    label: str
    shown: UserFunction | None = None
    file: str | None = None
