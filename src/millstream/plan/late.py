"""The node that records come to which were too late for their windows."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.plan.nodes import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRecords(Node):
    """Records that its parents, windowed aggregations, dropped as late for all their windows (rules W3, W7, W14)."""
