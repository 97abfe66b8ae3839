"""A stream joined with itself needs one store, not one for each side (rule J11)."""

from __future__ import annotations

from millstream.plan.nodes import Merge, Node
from millstream.plan.rewrites.draft import Draft
from millstream.plan.stream_joins import JoinRow, SelfJoin, StreamJoin


def join_with_itself_in_one_store(draft: Draft) -> Draft:
    """Both sides of a join that read the same place become one node, which has the name of their merge.

    It looks its partners up in the left side's store. A window that leaves out the record's own time stays as it is:
    there, no record meets itself.
    """
    by_name = {node.name: node for node in draft.nodes}
    joined: dict[str, Node] = {}
    removed: set[str] = set()
    for node in draft.nodes:
        if not isinstance(node, Merge) or len(node.parents) != 2:
            continue
        left, right = (by_name[parent] for parent in node.parents)
        if not isinstance(left, StreamJoin) or not isinstance(right, StreamJoin) or left.other != right.parents[0]:
            continue
        mine, theirs = by_name[right.other], by_name[left.other]
        if not isinstance(mine, JoinRow) or mine.parents != theirs.parents or not _meets_itself(left):
            continue
        removed |= {left.name, right.name, theirs.name}
        joined[node.name] = SelfJoin(
            name=node.name,
            parents=(mine.name,),
            site=left.site,
            window=left.window,
            rows=mine.store,
            joiner=left.joiner,
            left=left.outer,
            outer=right.outer,
        )
    return draft.with_nodes([joined.get(node.name, node) for node in draft.nodes if node.name not in removed])


def _meets_itself(side: StreamJoin) -> bool:
    return side.window.before_ms >= 0 and side.window.after_ms >= 0
