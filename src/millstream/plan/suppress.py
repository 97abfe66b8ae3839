"""The node that holds a table's updates back (rules E11-E15)."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.plan.nodes import TableNode


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a buffer may hold; None: any number. A full one stops the application, or emits the first in order."""

    max_records: int | None
    max_bytes: int | None
    shut_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppress(TableNode):
    """Updates wait in `buffer` for `wait_ms`: from their key's first one, or from the end of the key's window."""

    buffer: str
    wait_ms: int
    window_close: bool
    bounds: Bounds
    idle_after_ms: int | None = None

    @property
    def store_names(self) -> tuple[str, ...]:
        return (self.buffer,)
