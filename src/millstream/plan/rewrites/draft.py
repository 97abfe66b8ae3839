"""A program's plan before it is validated: what rewrites turn into a better one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from millstream.plan.nodes import GlobalTable, Node, RepartitionTopic, StoreSpec
from millstream.serde import Serde


@dataclass(frozen=True, slots=True)
class Draft:
    """Nodes, parents before children, and what they need. `serdes` are those of what a stream's node passes on."""

    nodes: tuple[Node, ...]
    stores: tuple[StoreSpec, ...]
    global_tables: tuple[GlobalTable, ...]
    repartition_topics: Mapping[str, RepartitionTopic]
    serdes: Mapping[str, tuple[Serde[Any], Serde[Any]]]

    def with_nodes(self, nodes: Sequence[Node]) -> Draft:
        """Other nodes; global tables keep their places before those that came after them (rule N18)."""
        return replace(
            self,
            nodes=tuple(nodes),
            global_tables=tuple(replace(table, after=self._place(table, nodes)) for table in self.global_tables),
        )

    def _place(self, table: GlobalTable, nodes: Sequence[Node]) -> int:
        later = {node.name for node in self.nodes[table.after :]}
        return next((place for place, node in enumerate(nodes) if node.name in later), len(nodes))
