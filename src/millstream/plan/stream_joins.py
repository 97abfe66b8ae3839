"""The nodes of a join of two streams (rules J1-J12)."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.plan.function import UserFunction
from millstream.plan.nodes import Node
from millstream.plan.tables import JoinKind


@dataclass(frozen=True, slots=True)
class JoinWindow:
    """Which records of two streams meet: the right one within `[left - before_ms, left + after_ms]`, both included.

    One of the two may be negative, not their sum. Rows that wait for a partner wait `grace_ms` longer. Without records
    for `idle_after_ms` time goes on by the wall clock; None: as the program says. All in ms.
    """

    before_ms: int
    after_ms: int
    grace_ms: int
    idle_after_ms: int | None = None

    @property
    def retention_ms(self) -> int:
        """How long a side's records are found, by that side's own time (rule J7)."""
        return self.before_ms + self.after_ms + self.grace_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRow(Node):
    """Keeps a side's records in its window store, each after it went through the join itself (rule J6)."""

    store: str

    @property
    def store_names(self) -> tuple[str, ...]:
        return (self.store,)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamJoin(Node):
    """One side of a join of two streams: its records meet those in the `other` side's store (rules J1-J5, J8).

    `outer`: this side's records go on alone where they have no partner. `parked` is the store of those that still wait
    for one, shared by both sides; None in an inner join. `other` is the node that keeps the other side's records.
    """

    right: bool
    outer: bool
    window: JoinWindow
    other: str
    looked_up: str
    parked: str | None
    joiner: UserFunction

    @property
    def store_names(self) -> tuple[str, ...]:
        return (self.looked_up,) if self.parked is None else (self.looked_up, self.parked)

    @property
    def meets(self) -> tuple[str, ...]:
        return (self.other,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfJoin(Node):
    """A stream joined with itself: its records meet the earlier ones in the store `rows`, and themselves (rule J11).

    `left` and `outer`: what comes of a record that meets nobody, on the left side and on the right one.
    """

    window: JoinWindow
    rows: str
    joiner: UserFunction
    left: bool
    outer: bool

    @property
    def store_names(self) -> tuple[str, ...]:
        return (self.rows,)


def outer_sides(kind: JoinKind) -> tuple[bool, bool]:
    """Whether left records, and right ones, go on without a partner.

    >>> outer_sides("left")
    (True, False)
    """
    return kind != "inner", kind == "outer"
