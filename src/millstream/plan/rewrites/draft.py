"""A program's plan before it is validated: what rewrites turn into a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millstream.plan.nodes import Node, RepartitionTopic, StoreSpec
from millstream.serde import Serde


@dataclass(frozen=True, slots=True)
class Draft:
    """Nodes, parents before children, and what they need. `serdes` are those of what a stream's node passes on."""

    nodes: tuple[Node, ...]
    stores: tuple[StoreSpec, ...]
    repartition_topics: Mapping[str, RepartitionTopic]
    serdes: Mapping[str, tuple[Serde[Any], Serde[Any]]]
