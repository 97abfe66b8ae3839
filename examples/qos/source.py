"""What every source of reports yields: events in the order of the match, times counted from its start."""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """One report on its way: when it is made, which place's partition it goes to, its key and its JSON."""

    offset_ms: int
    place: bytes
    key: bytes
    value: bytes
