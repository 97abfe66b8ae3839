"""The node that several groups' aggregations of one store lead into (rules A5, N15)."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.plan.nodes import TableNode


@dataclass(frozen=True, slots=True, kw_only=True)
class CogroupMerge(TableNode):
    """The one table that its parents' updates make; its rows are in the store that they share."""

    @property
    def meets(self) -> tuple[str, ...]:
        return self.parents
