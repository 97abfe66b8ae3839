"""How a processor may use a store: when its writes happen, and what it reads stored values as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Timestamped(NamedTuple):
    """A value, and the timestamp in ms that is kept with it.

    >>> value, timestamp = Timestamped("x", 7)
    >>> timestamp
    7
    """

    value: Any
    timestamp: int


def _no_time() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Access:
    """`now` gives the timestamp of a write, that of the record at hand, and raises where the store is read-only.

    `result` makes what is read of what is stored, where these differ: an aggregate may keep more than it shows.
    """

    now: Callable[[], int] = _no_time
    result: Callable[[Any], Any] | None = None

    def shown(self, value: Any) -> Any:
        return value if self.result is None or value is None else self.result(value)

    def time(self, given: int | None) -> int:
        """The timestamp of a write: the one given, else the record's."""
        now = self.now()
        return now if given is None else given


UNRESTRICTED = Access()
