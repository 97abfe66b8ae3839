"""The nodes of a split: the one that chooses, and the branches (rules O2, N17)."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.plan.function import UserFunction
from millstream.plan.nodes import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Node):
    """Each record into the branch of the first predicate that holds, else into the default one, if there is one.

    `choices` are the names of branches with their predicates, in order.
    """

    choices: tuple[tuple[str, UserFunction], ...] = ()
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Node):
    """The records that a split sends here."""
